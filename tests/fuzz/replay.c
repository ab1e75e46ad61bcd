/* replay.c: hands the files named on the command line to a fuzz target, for its corpus and for findings. Linked with one
 * target, whose name comes first:  replay_table table FILE... */
#include "hfbase.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_BYTES ((size_t)256 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        void *bytes = NULL;
        size_t size = 0;
        if (hf_file_read(&bytes, &size, argv[i], MAX_BYTES) != HF_OK) {
            fprintf(stderr, "%s\n", hf_error_message());
            return 1;
        }
        LLVMFuzzerTestOneInput(bytes, size); /* a broken promise aborts */
        free(bytes);
    }
    if (argc < 3) return 1;
    printf("fuzz_%s: %d passed, 0 failed\n", argv[1], argc - 2);
    return 0;
}
