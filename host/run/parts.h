/* parts.h: the parts of a training run (run.h) that train, evaluate and predict put together. Private to host/.
 *
 *   data.c     recipe -> cohort, split, truth, encoder, preprocessed volumes
 *   network.c  recipe -> network, plans, one training step, predictions for a list of subjects
 *   outputs.c  several outputs for one subject become one
 *   same.c     is what a resumed run finds what its checkpoint learned?
 *   learned.c  what a checkpoint holds beside the weights, as JSON and back
 *   former.c   and what version 0.1 held
 *   guard.c    is this volume like the training ones?
 *   samples.c  who is shown in an epoch
 *   schedule.c the learning rate of a step, and when a run ends early
 *   start.c    what training begins with
 *   screen.c, seen.c, residuals.c  what is to be known before an answer is believed (judge.h)
 *   folder.c   the folder: its lock, its log, its split file
 *   pretrain.c the stage before the first epoch
 *   report.c   the report of a run
 *   train.c, predict.c, plan.c, convert.c  the runs themselves */
#ifndef HF_RUN_PARTS_H
#define HF_RUN_PARTS_H

#include "data.h"
#include "folder.h"
#include "guard.h"
#include "learned.h"
#include "network.h"
#include "samples.h"
#include "stage.h"
#include "watch.h"

#endif
