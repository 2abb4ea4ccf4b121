/* What tests ask of the stand-in driver. */
#ifndef HONE_TESTS_STAND_IN_H
#define HONE_TESTS_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

typedef struct stand_in_state {
  uint64_t calls;      /* of the driver so far */
  uint64_t violations; /* calls that broke the driver's rules; each was printed */
  uint64_t objects;    /* contexts, streams, modules, graphs, allocations that are there */
  uint64_t launches;   /* kernels that ran */
  uint64_t replays;    /* graphs that ran */
} stand_in_state;

typedef struct stand_in {
  void (*state)(stand_in_state *out);
  void (*fail_at)(uint64_t call, int result); /* the call of this number from now on; 0: none */
} stand_in;

/* Those of the library that the process loaded. */
stand_in stand_in_get(void);

#endif
