/* What tests ask of the stand-in driver: its functions stand_in_read_state(stand_in_state *) and
 * stand_in_set_failure(call, result), after which the call of this number from now on fails; with a
 * result from 700 on all calls after it too, until the next stand_in_set_failure. */
#ifndef HONE_TESTS_STAND_IN_H
#define HONE_TESTS_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

typedef struct stand_in_state {
  uint64_t calls;      /* of the driver so far */
  uint64_t violations; /* calls that broke the driver's rules; each was printed */
  uint64_t objects;    /* contexts, streams, modules, graphs, allocations that are there */
  uint64_t launches;   /* kernels that ran */
  uint64_t early;      /* that were asked for as such that may begin before the end of the one before */
  uint64_t replays;    /* graphs that ran */
  uint64_t ptx;        /* modules that were loaded from PTX */
} stand_in_state;

#endif
