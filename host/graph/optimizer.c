/* optimizer.c: one task over the flat parameter buffer. What changes from step to step (learning rate, bias corrections)
 * lies in a small tensor that is filled before each step, so the task itself never changes. Clipping is a task before it
 * that changes the factor of the gradients there: the host never learns the norm, so it need not wait. */
#include "node.h"
#include <math.h>
#include <stdlib.h>

#define N_SCHEDULE 8 /* learning rate, 1-beta1^t, 1-beta2^t, factor on gradients, and room */

struct hf_optimizer {
    hf_model *model;
    hf_optimizer_options options;
    int64_t steps;
    hf_tensor m, v;     /* moments, laid out like theta; v absent for SGD */
    hf_tensor schedule; /* [N_SCHEDULE] */
    hf_task *clip;      /* NULL: no clipping */
    hf_task *task;
};

static const char *const op_names[] = { [HF_ADAM] = "adam", [HF_ADAMW] = "adamw", [HF_SGD] = "sgd" };

static hf_status make_task(hf_optimizer *o)
{
    const hf_optimizer_options *p = &o->options;
    const hf_params params = { .beta1 = (float)p->beta1,
                               .beta2 = (float)p->beta2,
                               .eps = (float)p->eps,
                               .weight_decay = (float)p->weight_decay,
                               .momentum_sgd = (float)p->momentum };
    const hf_tensor theta = hf_model_theta(o->model), g = hf_model_gradient(o->model);
    const bool sgd = p->kind == HF_SGD;
    const hf_tensor adam_in[] = { theta, g, o->m, o->v, o->schedule }, adam_out[] = { theta, o->m, o->v };
    const hf_tensor sgd_in[] = { theta, g, o->m, o->schedule }, sgd_out[] = { theta, o->m };
    return hf_task_new(&o->task, o->model->context, hf_op_find(op_names[p->kind]), &params, sgd ? sgd_in : adam_in,
                       sgd ? 4 : 5, sgd ? sgd_out : adam_out, sgd ? 2 : 3,
                       &(hf_task_options){ .label = "the optimizer" });
}

static hf_status make_clip(hf_optimizer *o)
{
    const hf_params params = { .limit = (float)o->options.clip_norm };
    const hf_tensor in[] = { hf_model_gradient(o->model), o->schedule };
    if (o->options.clip_norm == 0) return HF_OK;
    return hf_task_new(&o->clip, o->model->context, hf_op_find("clip"), &params, in, 2, &o->schedule, 1,
                       &(hf_task_options){ .label = "gradient clipping" });
}

static hf_status zero_tensor(hf_tensor *out, hf_model *model, hf_shape shape)
{
    static const float zero = 0;
    HF_TRY(hf_tensor_new(out, model->context, shape));
    return hf_buffer_fill(out->buffer, 0, hf_desc_bytes(&out->desc), &zero, sizeof zero);
}

static hf_status make(hf_optimizer *o)
{
    HF_TRY(hf_model_freeze(o->model));
    const hf_shape shape = hf_model_theta(o->model).desc.shape;
    HF_TRY(zero_tensor(&o->m, o->model, shape));
    if (o->options.kind != HF_SGD) HF_TRY(zero_tensor(&o->v, o->model, shape));
    HF_TRY(zero_tensor(&o->schedule, o->model, HF_SHAPE(N_SCHEDULE)));
    HF_TRY(make_clip(o));
    return make_task(o);
}

hf_status hf_optimizer_new(hf_optimizer **out, hf_model *model, const hf_optimizer_options *options)
{
    hf_optimizer *o = NULL;
    *out = NULL;
    if (!options || !(options->learning_rate > 0) || options->weight_decay < 0 || !(options->clip_norm >= 0))
        return hf_fail(
            HF_ERR_ARGUMENT,
            "an optimizer needs a learning rate above 0, a weight decay and a norm to clip to of at least 0");
    HF_TRY(hf_alloc(&o, 1, sizeof *o, "an optimizer"));
    o->model = model;
    o->options = *options;
    if (o->options.beta1 == 0) o->options.beta1 = 0.9;
    if (o->options.beta2 == 0) o->options.beta2 = 0.999;
    if (o->options.eps == 0) o->options.eps = 1e-8;
    const hf_status status = make(o);
    if (status != HF_OK) hf_optimizer_free(&o);
    *out = o;
    return status;
}

void hf_optimizer_free(hf_optimizer **optimizer)
{
    if (!optimizer || !*optimizer) return;
    hf_task_free(&(*optimizer)->clip);
    hf_task_free(&(*optimizer)->task);
    hf_tensor_free(&(*optimizer)->m);
    hf_tensor_free(&(*optimizer)->v);
    hf_tensor_free(&(*optimizer)->schedule);
    free(*optimizer);
    *optimizer = NULL;
}

hf_status hf_optimizer_step(hf_optimizer *optimizer)
{
    hf_optimizer *o = optimizer;
    const double t = (double)++o->steps;
    /* Bias corrections are made here, in double: 1 - beta^t cancels badly in float. */
    const float schedule[N_SCHEDULE] = { (float)o->options.learning_rate, (float)(1 - pow(o->options.beta1, t)),
                                         (float)(1 - pow(o->options.beta2, t)), 1 };
    HF_TRY(hf_buffer_fill(o->schedule.buffer, 0, sizeof schedule, schedule, sizeof schedule)); /* does not wait */
    if (o->clip) HF_TRY(hf_task_run(o->clip));
    return hf_task_run(o->task);
}

int64_t hf_optimizer_steps(const hf_optimizer *optimizer)
{
    return optimizer->steps;
}

void hf_optimizer_set_steps(hf_optimizer *optimizer, int64_t steps)
{
    optimizer->steps = steps;
}

void hf_optimizer_set_learning_rate(hf_optimizer *optimizer, double learning_rate)
{
    optimizer->options.learning_rate = learning_rate;
}

const hf_model *hf_optimizer_model(const hf_optimizer *optimizer)
{
    return optimizer->model;
}

void hf_optimizer_moments(const hf_optimizer *optimizer, hf_tensor *m, hf_tensor *v)
{
    *m = optimizer->m;
    *v = optimizer->v;
}
