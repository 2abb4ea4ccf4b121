/* Random numbers that depend on a key and a place only, for references and kernels. Room: ops. */
#ifndef HONE_OPS_RANDOM_H
#define HONE_OPS_RANDOM_H

#include "ir/op.h"

/* The key of one run of a node: from its attribute `seed`, else a fresh one. */
uint64_t hone_random_key(const hone_node *node);
/* Numbers first, first + 1, … of the key: even in [0, 1), multiples of 2^-24 and so below 1 in f32
 * as well; or normal, of mean 0 and deviation 1. */
void hone_random_uniform(uint64_t key, uint64_t first, size_t count, double *out);
void hone_random_normal(uint64_t key, uint64_t first, size_t count, double *out);

#endif
