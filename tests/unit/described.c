/* described.c: what the library decides for a device that is not here, and that it never touches one. */
#include "check.h"
#include "hfcl.h"
#include <stdio.h>

/* A GPU with this largest group and local memory. */
static hf_device_info gpu(size_t group, size_t local_memory)
{
    hf_device_info info = { .id = "gpu:0",
                            .name = "a described GPU",
                            .platform = "none",
                            .compute_units = 80,
                            .max_group = group,
                            .max_items = { group, group, group },
                            .memory = (size_t)8 << 30,
                            .max_alloc = (size_t)2 << 30,
                            .local_memory = local_memory,
                            .align = 512 };
    return info;
}

static hf_context *open_described(const hf_device_info *info)
{
    hf_context *context = NULL;
    CHECK_OK(hf_context_new(&context, "no such device", &(hf_context_options){ .described = info }));
    return context;
}

static const char *chosen(hf_context *context, const char *op, int64_t channels)
{
    const hf_desc in[] = { { HF_SHAPE(2, channels, 8, 8, 8), HF_F32, HF_PLAIN },
                           { HF_SHAPE(16, channels, 3, 3, 3), HF_F32, HF_PLAIN } };
    const hf_op *found = hf_op_find(op);
    return hf_op_impl_name(found, hf_op_choose(context, found, NULL, in, 2));
}

/* What fits the device is chosen as on a real one: groups, local memory, kind. */
static void check_choice(void)
{
    hf_device_info large = gpu(1024, 48 << 10), small = gpu(16, 48 << 10), bare = gpu(1024, 1 << 10), cpu = large;
    cpu.is_cpu = true;
    const hf_device_info *devices[] = { &large, &small, &bare, &cpu };
    const char *name[4];
    for (int i = 0; i < 4; i++) {
        hf_context *context = open_described(devices[i]);
        if (!context) return;
        name[i] = chosen(context, "conv3d", 16);
        hf_context_free(&context);
    }
    CHECK(strncmp(name[0], "gpu", 3) == 0);
    CHECK(strcmp(name[1], "plain") == 0);
    CHECK(strcmp(name[2], "plain") == 0);
    CHECK(strncmp(name[0], name[3], 3) != 0 && strcmp(name[3], "plain") != 0);
}

/* Launches of relu over 1000 elements: none are made, all are told; groups shrink to what the device allows. */
static void check_launches(size_t group, const char *defines, size_t items)
{
    const hf_device_info info = gpu(group, 48 << 10);
    hf_context *context = open_described(&info);
    hf_tensor x = { 0 }, y = { 0 };
    hf_task *task = NULL;
    hf_launch_info launch = { 0 };
    float values[1000] = { 0 };
    if (!context || !CHECK_OK(hf_tensor_new(&x, context, HF_SHAPE(1000))) ||
        !CHECK_OK(hf_tensor_new(&y, context, HF_SHAPE(1000))))
        goto out;
    CHECK_OK(hf_tensor_write(&x, values, 1000));
    CHECK_STATUS(hf_tensor_read(&x, values, 1000), HF_ERR_DEVICE, "only described");
    if (!CHECK_OK(hf_task_new(&task, context, hf_op_find("relu"), NULL, &x, 1, &y, 1, NULL))) goto out;
    CHECK(hf_task_launch(task, 0, &launch) && !hf_task_launch(task, 1, &launch) && !hf_task_launch(task, -1, &launch));
    CHECK(strcmp(launch.program, "activation") == 0 && strcmp(launch.kernel, "relu") == 0);
    CHECK(strcmp(launch.defines, defines) == 0);
    CHECK(launch.items[0] == items && launch.groups[0] * launch.items[0] * 4 >= 1000 && launch.groups[1] == 1);
    CHECK(launch.n_args == 3 && launch.arg[0] == 4000 && launch.arg[1] == 4000 && launch.arg[2] == 1000);
    CHECK(launch.is_tensor[0] && launch.is_tensor[1] && !launch.is_tensor[2]);
    CHECK_STATUS(hf_task_run(task), HF_ERR_DEVICE, "only described");
    CHECK_OK(hf_context_finish(context));
out:
    hf_task_free(&task);
    hf_tensor_free(&x);
    hf_tensor_free(&y);
    hf_context_free(&context);
}

/* On NVIDIA's devices 3x3x3 is by Winograd where its bricks fit the volume and fill the device; elsewhere, and where they do
 * not, by the direct kernel. */
static const struct {
    const char *platform, *op;
    int channels, edge; /* of x or dx: a cube, two samples */
    const char *impl;
} winograd_cases[] = {
    { "NVIDIA CUDA", "conv3d", 16, 34, "gpu_winograd" },    /* of 32: 8 x 8 x 4 bricks, all inside */
    { "NVIDIA CUDA", "conv3d", 16, 36, "gpu_direct" },      /* of 34: 9 x 9 x 5 bricks, 1.32 of the voxels */
    { "NVIDIA CUDA", "conv3d_dx", 16, 32, "gpu_winograd" }, /* the same the other way round: dx is what is written */
    { "NVIDIA CUDA", "conv3d_dx", 16, 34, "gpu_direct" },
    { "NVIDIA CUDA", "conv3d", 16, 18, "gpu_direct" },   /* 64 groups for 80 multiprocessors, */
    { "NVIDIA CUDA", "conv3d", 32, 18, "gpu_winograd" }, /* 128 */
    { "NVIDIA CUDA", "conv3d", 8, 34, "gpu_first" },
    { "NVIDIA CUDA", "conv3d", 1 << 11, 18, "gpu_direct" }, /* a GB of transformed weights */
    { "AMD Accelerated Parallel Processing", "conv3d", 16, 34, "gpu_direct" },
};

static void check_winograd(int i)
{
    hf_device_info info = gpu(1024, 48 << 10);
    snprintf(info.platform, sizeof info.platform, "%s", winograd_cases[i].platform);
    hf_context *context = open_described(&info);
    const int channels = winograd_cases[i].channels, edge = winograd_cases[i].edge;
    const int from = edge - 2 * (strcmp(winograd_cases[i].op, "conv3d_dx") == 0);
    const hf_desc in[] = { { HF_SHAPE(2, channels, from, from, from), HF_F32, HF_BLOCKED },
                           { HF_SHAPE(channels, channels, 3, 3, 3), HF_F32, HF_PLAIN } };
    const hf_op *op = hf_op_find(winograd_cases[i].op);
    const hf_params params = { .kernel = 3, .shape = HF_SHAPE(2, channels, edge, edge, edge) }; /* dx reads them */
    const int impl = context ? hf_op_choose(context, op, &params, in, 2) : 0;
    CHECK(strcmp(hf_op_impl_name(op, impl), winograd_cases[i].impl) == 0);
    hf_context_free(&context);
}

/* Matrix units: only where the device has those that are known, and only where they were asked for. */
static void check_tensor_cores(void)
{
    static const unsigned capability[] = { 0, 70, 80 };
    for (int i = 0; i < 3; i++)
        for (int asked = 0; asked < 2; asked++) {
            hf_device_info info = gpu(1024, 48 << 10);
            hf_context *context = NULL;
            info.compute_capability = capability[i];
            const hf_context_options options = { .described = &info, .tensor_cores = asked };
            if (!CHECK_OK(hf_context_new(&context, NULL, &options))) return;
            CHECK(hf_context_tensor_cores(context) == (capability[i] >= 80));
            CHECK((strcmp(chosen(context, "conv3d", 16), "gpu_tensor") == 0) == (asked && capability[i] >= 80));
            hf_context_free(&context);
        }
}

/* A device that is here, and whose compiler may not know the instruction, is not asked to compile it. */
static void check_real_tensor_cores(void)
{
    hf_context *context = NULL;
    if (!CHECK_OK(hf_context_new(&context, NULL, &(hf_context_options){ .tensor_cores = true }))) return;
    if (hf_context_device(context)->compute_capability < 80) {
        CHECK(!hf_context_tensor_cores(context));
        CHECK(strcmp(chosen(context, "conv3d", 16), "gpu_tensor") != 0);
    }
    hf_context_free(&context);
}

/* Sizes are checked though nothing is allocated. */
static void check_memory(void)
{
    const hf_device_info info = gpu(1024, 48 << 10);
    hf_context *context = open_described(&info);
    hf_tensor x = { 0 };
    hf_buffer *buffer = NULL, *view = NULL;
    if (!context) return;
    CHECK_STATUS(hf_tensor_new(&x, context, HF_SHAPE(1 << 10, 1 << 10, 1 << 10)), HF_ERR_MEMORY, "allows at most");
    if (CHECK_OK(hf_buffer_new(&buffer, context, (size_t)1 << 30, "a buffer"))) {
        CHECK_OK(hf_buffer_view(&view, buffer, 512, 1024));
        CHECK(view && hf_buffer_bytes(view) == 1024);
        CHECK_OK(hf_buffer_copy(view, 0, buffer, 0, 1024));
        CHECK_STATUS(hf_buffer_copy(view, 0, buffer, 0, 2048), HF_ERR_ARGUMENT, "does not fit");
    }
    hf_buffer_free(&view);
    hf_buffer_free(&buffer);
    hf_context_free(&context);
}

int main(void)
{
    check_choice();
    check_launches(1024, "-DVEC=4", 64);
    check_launches(32, "-DVEC=4 -DWG=32", 32);
    for (size_t i = 0; i < sizeof winograd_cases / sizeof winograd_cases[0]; i++)
        check_winograd((int)i);
    check_tensor_cores();
    check_real_tensor_cores();
    check_memory();
    return check_done("described");
}
