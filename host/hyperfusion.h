/* hyperfusion.h: networks whose weights may come from other networks, trained on OpenCL devices. All of it in one include.
 *
 * Tiers, from the machine up; each uses only what stands above it, and each has a folder and a header of its own:
 *   graph     models, and graphs of nodes: a weight is a node, so a hypernetwork needs no special code
 *   plan      a graph made ready to run: fused, differentiated, laid out, placed in memory
 *   archive   safetensors checkpoints
 *   convert   state dicts of PyTorch modules, renamed
 *   networks  whole networks by name
 *   metrics   how good predictions are, with intervals
 *   recipe    one experiment as a YAML file
 *   goal      what is predicted: a number, a class; its losses, metrics, columns
 *   report    a run on one page
 *   run       one experiment in one folder
 *   study     many runs for one question
 *
 * Status, messages and ownership follow hfbase.h. Everything made from one context belongs to one thread at a time. Free
 * plans before their graph, graphs before their model, the model before its context. */
#ifndef HYPERFUSION_H
#define HYPERFUSION_H

#include "hfcl.h"
#include "hfdata.h"

#include "archive/archive.h"
#include "convert/convert.h"
#include "goal/goal.h"
#include "graph/graph.h"
#include "metrics/calibration.h"
#include "metrics/ensemble.h"
#include "metrics/entropy.h"
#include "metrics/metrics.h"
#include "metrics/significance.h"
#include "networks/networks.h"
#include "plan/plan.h"
#include "recipe/recipe.h"
#include "report/report.h"
#include "run/run.h"
#include "study/study.h"

#endif
