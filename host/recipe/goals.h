/* goals.h: the names of the goals, in one place: what a recipe may say (keys.c), the table of goals (host/goal/goal.c), and
 * the files that are compiled (host/goal/NAME.c where there is one; read by meson.build, a name a line). */
#ifndef HF_RECIPE_GOALS_H
#define HF_RECIPE_GOALS_H

#define HF_GOALS(FIRST, NEXT)                                                                                          \
    FIRST(regression)                                                                                                  \
    NEXT(binary)                                                                                                       \
    NEXT(classes)                                                                                                      \
    NEXT(survival)                                                                                                     \
    NEXT(ordinal)

#endif
