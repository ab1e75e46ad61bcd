/* Fuzzes the table reader: whatever the bytes, it must refuse them or give a table whose every cell can be read. The
 * first byte picks the name's ending. */
#include "cohort.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "f.tsv", "f.csv", "f.txt" };
    hf_table table = { 0 };
    if (size == 0) return 0;
    if (hf_table_parse(&table, (const char *)data + 1, size - 1, names[data[0] % 3]) != HF_OK) {
        if (!hf_error_message()[0]) abort(); /* a refusal always says why */
        return 0;
    }
    size_t text = 0;
    for (int row = 0; row < table.rows; row++) {
        for (int column = 0; column < table.columns; column++) {
            const char *cell = table.cell[(size_t)row * (size_t)table.columns + (size_t)column];
            double value = 0;
            hf_status status = hf_table_number(&value, &table, row, column);
            if (!cell && (status != HF_OK || value == value)) abort();
            if (cell && status == HF_OK && value - value != 0) abort();
            text += cell ? strlen(cell) : 0;
        }
        if (table.line[row] < 1) abort();
    }
    for (int column = 0; column < table.columns; column++)
        if (hf_table_column(&table, table.name[column]) != column) abort();
    if (text > size) abort();
    hf_table_free(&table);
    return 0;
}
