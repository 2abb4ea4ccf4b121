/* The choice by whole runs, after that by marks. Room: engine. */
#ifndef HONE_ENGINE_CHOOSE_INSIDE_H
#define HONE_ENGINE_CHOOSE_INSIDE_H

#include "engine/device_bench.h"

/* How many times of candidates inside this run, and of itself, the cache holds. */
size_t hone_count_inside(const hone_device_bench *bench);
/* Nanoseconds of a whole run with what was chosen for it, from there; negative: not known. */
double hone_run_inside(const hone_device_bench *bench);
/* Whether some group has candidates that marks do not tell apart, and the run was not looked at yet. */
bool hone_may_gain_inside(const hone_device_bench *bench);
/* Times whole runs with other candidates, if that may gain anything, on a bench that is open. */
HONE_MUST_USE hone_status *hone_time_inside(hone_device_bench *bench);
/* The candidate that whole runs speak for, where they were timed with the one that marks speak for; else
 * that one. */
size_t hone_fastest_inside(const hone_device_bench *bench, const hone_device_group *group,
                           size_t by_marks);

#endif
