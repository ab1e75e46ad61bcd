/* Checks entropies of histograms by hand, and that the range is common to all rows. */
#include "check.h"
#include "metrics/entropy.h"

static void test_values(void)
{
    const double loss[] = { 0, 0, 0, 0, 0, 1, 2, 4, 4, 4, 0, 0 };
    double bits[3];
    CHECK_OK(hf_loss_entropy(bits, loss, 3, 4, 4));
    CHECK_NEAR(bits[0], 0, 1e-15);
    CHECK_NEAR(bits[1], 2, 1e-15); /* 0, 1, 2 and 4 fall into four bins, the last one closed */
    CHECK_NEAR(bits[2], 1, 1e-15);
    CHECK_OK(hf_loss_entropy(bits, loss + 4, 2, 4, 1));
    CHECK(bits[0] == 0 && bits[1] == 0);
    CHECK_OK(hf_loss_entropy(bits, loss, 1, 4, 30)); /* all equal */
    CHECK(bits[0] == 0);
}

/* numpy.histogram of 12 draws of two layers, 5 bins from 0.5 to 3.1: counts 2 4 3 2 1 and 5 3 2 0 2. */
static void test_against_numpy(void)
{
    static const double loss[] = { 0.50, 0.90, 1.10, 1.30, 1.50, 1.53, 1.60, 1.90, 2.00, 2.10, 2.50, 2.70,
                                   0.60, 0.70, 0.80, 0.90, 1.01, 1.03, 1.20, 1.50, 1.55, 2.00, 3.00, 3.10 };
    double bits[2];
    CHECK_OK(hf_loss_entropy(bits, loss, 2, 12, 5));
    CHECK_NEAR(bits[0], 2.188721875540867, 1e-12);
    CHECK_NEAR(bits[1], 1.8879185026711327, 1e-12);
}

static void test_refusals(void)
{
    const double bad[] = { 1, INFINITY };
    double bits[1];
    CHECK_STATUS(hf_loss_entropy(bits, bad, 1, 2, 5), HF_ERR_NUMBER, "loss 1 is inf");
    CHECK_STATUS(hf_loss_entropy(bits, bad, 0, 2, 5), HF_ERR_ARGUMENT, "0 layers");
}

int main(void)
{
    test_values();
    test_against_numpy();
    test_refusals();
    return check_done("entropy");
}
