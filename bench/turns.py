"""Programs that are asked in turn: ours and its peers, each a process that answers a line with a line of JSON."""
import json
import math
import os
import statistics
import subprocess
import time

SETTLE = 0.005  # seconds before a question: threads of the program asked before may still spin
CORE_HELP = "one thread, processor time: holds on a busy machine"


class Failed(Exception):
    """A program that died, or that answered with an error."""


class Server:
    """A running program. Its first line is a greeting; what is not a JSON object is other libraries' talk."""

    def __init__(self, command, threads=None):
        environment = dict(os.environ)
        if threads:
            environment["OMP_NUM_THREADS"] = str(threads)
        self.command = [str(part) for part in command]
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                            env=environment)
        except OSError as error:
            raise Failed(f"{self.command[0]} cannot be started: {error.strerror}") from None
        self.greeting = self.answer()

    def answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                if "error" in answer:
                    raise Failed(answer["error"])
                return answer
        raise Failed(f"{self.command[0]} ended with status {self.process.wait()}")

    def ask(self, question):
        time.sleep(SETTLE)
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"{self.command[0]} ended with status {self.process.wait()}") from None
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def use_one_core():
    """From here on programs measure processor time, and PoCL starts one thread: others take what it has."""
    os.environ.update(BENCH_PROCESSOR_TIME="1", POCL_MAX_PTHREAD_COUNT="1")


def ask_in_turn(questions, rounds):
    """questions: {name: (server, line)}. Returns {name: [answer of each round]}; every second round runs backwards, so
    that none is always the one that comes after another."""
    answers = {name: [] for name in questions}
    for number in range(rounds):
        names = list(questions) if number % 2 == 0 else list(questions)[::-1]
        for name in names:
            server, line = questions[name]
            answers[name].append(server.ask(line))
    return answers


def median(answers, key):
    return statistics.median(answer[key] for answer in answers)


def geometric_mean(values):
    values = list(values)
    return math.exp(statistics.fmean(math.log(value) for value in values)) if values else None
