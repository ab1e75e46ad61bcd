/* watch.h: how a run says what it does. Private to host/. */
#ifndef HF_RUN_WATCH_H
#define HF_RUN_WATCH_H

#include "run.h"

void hf_watch_say(const hf_watch *watch, const char *format, ...) HF_PRINTF(2, 3);
void hf_watch_progress(const hf_watch *watch, const char *what, int done, int total, double loss);

#endif
