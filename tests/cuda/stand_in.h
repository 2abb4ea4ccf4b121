/* What tests ask of the stand-in driver: its functions stand_in_read_state(stand_in_state *) and
 * stand_in_set_failure(call, result), after which the call of this number from now on fails; with a
 * result from 700 on all calls after it too, until the next stand_in_set_failure; and
 * stand_in_set_clock(const stand_in_clock *), after which events tell what work takes by that clock. */
#ifndef HONE_TESTS_STAND_IN_H
#define HONE_TESTS_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

typedef struct stand_in_state {
  uint64_t calls;      /* of the driver so far */
  uint64_t violations; /* calls that broke the driver's rules; each was printed */
  uint64_t objects;    /* contexts, streams, modules, graphs, allocations that are there */
  uint64_t launches;   /* kernels that ran */
  uint64_t uploads;    /* copies to the device's memory that ran */
  uint64_t downloads;  /* and from there */
  uint64_t early;      /* that were asked for as such that may begin before the end of the one before */
  uint64_t replays;    /* graphs that ran */
  uint64_t timed_whole; /* of them with two events, several kernels or libraries' calls between */
  uint64_t ptx;        /* modules that were loaded from PTX */
} stand_in_state;

/* Nanoseconds of each kind of work; all 0: events tell the host's time. */
typedef struct stand_in_clock {
  uint64_t launch; /* of a kernel */
  uint64_t early;  /* of one that may begin before the end of the one before, */
  uint64_t ready;  /* which let it do so at once */
  uint64_t call;   /* of a library's */
} stand_in_clock;

#endif
