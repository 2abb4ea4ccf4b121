/* The stand-in driver of a test program: what it counted, calls that are to fail, and its clock. */
#ifndef HONE_TESTS_ON_STAND_IN_H
#define HONE_TESTS_ON_STAND_IN_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stand_in.h"

static void (*read_state)(stand_in_state *);
static void (*set_failure)(uint64_t call, int result);
static void (*set_clock)(const stand_in_clock *);

static inline stand_in_state now(void) {
  stand_in_state state;
  read_state(&state);
  return state;
}

/* Whether HONE_CUDA_DRIVER names it; if not, `*code` is what the program ends with. */
static inline bool stand_in_is_there(int *code) {
  const char *stand_in = getenv("HONE_CUDA_DRIVER");
  void *driver = stand_in ? dlopen(stand_in, RTLD_NOW | RTLD_LOCAL) : NULL;
  void *state = driver ? dlsym(driver, "stand_in_read_state") : NULL;
  void *failure = driver ? dlsym(driver, "stand_in_set_failure") : NULL;
  void *clock = driver ? dlsym(driver, "stand_in_set_clock") : NULL;
  *code = stand_in != NULL;
  if (!state || !failure || !clock) {
    printf("%s\n",
           stand_in ? "the stand-in driver does not load" : "skipped: no stand-in driver is named");
    return false;
  }
  memcpy(&read_state, &state, sizeof state);
  memcpy(&set_failure, &failure, sizeof failure);
  memcpy(&set_clock, &clock, sizeof clock);
  return true;
}

#endif
