/* Passes: graph in, better graph out. Room: passes. */
#ifndef HONE_PASSES_PASS_H
#define HONE_PASSES_PASS_H

#include "ops/ops.h"

#define HONE_MOST_BLOCKS 128
#define HONE_MOST_LAYERS 3 /* of a block */

/* Layers, each with what finishes it, that a device may run faster as one group, which only a clock
 * tells: who builds says which become one. */
typedef struct hone_pass_block {
  bool joined; /* asked for: one group */
  int count;   /* of its layers */
  /* As they were made; where they are joined the last one alone. */
  const struct hone_node *groups[HONE_MOST_LAYERS];
} hone_pass_block;

/* The group that makes what the block does, whether it is joined or not. */
static inline const struct hone_node *hone_pass_block_end(const hone_pass_block *block) {
  return block->groups[block->count - 1];
}

typedef struct hone_pass_blocks {
  int count; /* found, in the order of the nodes: the same in every run over the same model */
  hone_pass_block at[HONE_MOST_BLOCKS];
} hone_pass_blocks;

/* What passes may know of the wish and the machine; filled by the engine from the options. */
typedef struct hone_pass_context {
  hone_dtype compute;         /* F32, BF16, F16: fastest type a layer may use */
  const char *fp32_layers;    /* names of nodes that stay in f32 all the same; NULL: none */
  bool stores_bf16;           /* the processor multiplies bf16: layers may exchange it */
  bool tf32;                  /* f32 operands may be multiplied as tf32, 10 bits of fraction */
  bool (*takes)(const hone_node *node); /* whether the device has a kernel; NULL: there is no device */
  /* Whether the device may run so many layers in a row, by their first nodes, faster as one group;
   * NULL: never. */
  bool (*joins)(const hone_node *const *layers, int count);
  hone_pass_blocks *blocks;   /* those that there are, filled by the last pass; NULL: nobody asks */
  bool strict;                /* fp32-strict: no reassociation that a pass would bring */
  size_t fold_limit;          /* bytes that constant folding may make of one tensor, and, beside a small
                                 multiple of the model's own constants, of all */
  size_t own_constants, folded; /* for it to count in: the model's bytes, and what it made */
  bool counted;
  void (*dump)(void *argument, const char *pass, const hone_graph *graph); /* NULL: no dumps */
  void *dump_argument;
  bool (*cancelled)(void *argument); /* NULL: never */
  void *cancel_argument;
  bool integers_made;         /* set by pass integers: bytes of weights are not kept any more */
  struct hone_pass_log *log;  /* what fired, for the report; may be NULL */
} hone_pass_context;

typedef struct hone_pass {
  const char *name; /* for dumps, timing, and --dump-after=NAME */
  hone_status *(*run)(hone_graph *graph, hone_pass_context *context);
} hone_pass;

/* Counts of what fired: rule or fusion name to number of times, in order of first firing. */
typedef struct hone_pass_log {
  struct { const char *name; int count; } entries[256];
  int count;
} hone_pass_log;

void hone_pass_fired(hone_pass_context *context, const char *name); /* name: static */
/* Whether a node stands for one of fp32_layers. */
bool hone_pass_keeps_f32(const hone_pass_context *context, const hone_node *node);

/* The passes in their order, and running them all with the verifier between (in debug builds). */
const hone_pass *const *hone_pipeline(size_t *count);
HONE_MUST_USE hone_status *hone_run_passes(hone_graph *graph, hone_pass_context *context);

#endif
