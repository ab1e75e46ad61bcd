/* page.h: the main program of those that write a page of this folder. Without an argument the page goes to standard
 * output; with the path of the page the program only says whether that is what it would write. */
#ifndef HF_DOC_PAGE_H
#define HF_DOC_PAGE_H

#include "hfbase.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAGE ((size_t)1 << 20) /* bytes */

static bool page_is_up_to_date(const hf_text *page, const char *path)
{
    void *found = NULL;
    size_t size = 0;
    const bool good = hf_file_read(&found, &size, path, MAX_PAGE) == HF_OK && size == page->size &&
                      memcmp(found, page->data, size) == 0;
    free(found);
    if (!good) fprintf(stderr, "%s is not what this program writes; write it anew with it\n", path);
    return good;
}

static int page_main(const char *name, hf_status (*write)(hf_text *page), int argc, char **argv)
{
    hf_text page = { 0 };
    bool good = write(&page) == HF_OK;
    if (!good)
        fprintf(stderr, "%s\n", hf_error_message());
    else if (argc == 1)
        good = fwrite(page.data, 1, page.size, stdout) == page.size;
    else
        good = page_is_up_to_date(&page, argv[1]);
    if (argc > 1) printf("%s: %d passed, %d failed\n", name, good, !good);
    hf_text_free(&page);
    return !good;
}

#endif
