/* lstm, gru and rnn layers over a sequence, weights packed for tiles; of the type of real.h.
 * Room: backend/cpu/products.
 *
 * Two phases, after one that packs weights which only the run knows: all steps' products with the
 * input at once, then the steps one after the other. A unit of the second is a few sequences in one
 * direction; units share nothing, so parts split them. Where there are fewer of them than threads,
 * the phase repeats for every step, and parts split the columns of the state: each reads its share
 * of the weights, from a cache that may be too small for all. Meanings and shapes are those of
 * ops/recurrent.h.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_RECURRENT_H
#define HONE_BACKEND_CPU_PRODUCTS_RECURRENT_H

#include "backend/cpu/products/finish.h"
#include "backend/cpu/products/real.h"
#include "base/memory.h"
#include "base/status.h"

#define HONE_RECURRENT_GATES 4
#define HONE_RECURRENT_ROWS  8 /* sequences of a unit */

typedef enum hone_recurrent_kind {
  HONE_RECURRENT_LSTM, /* gates i, o, f, c; activations of gates, cell, hidden */
  HONE_RECURRENT_GRU,  /* gates z, r, h; activations of gates, hidden */
  HONE_RECURRENT_RNN   /* one gate; one activation */
} hone_recurrent_kind;

typedef struct hone_recurrent_layer {
  hone_recurrent_kind kind;
  const hone_real_tiles *tiles;
  size_t steps, batch, input, hidden, gates, directions;
  int threads;      /* that may run it */
  bool reversed;    /* the first direction */
  bool coupled;     /* lstm: the forget gate is 1 - i */
  bool reset_after; /* gru: the reset gate comes after the product */
  real clip;        /* 0: none */
  hone_real_activation activations[2][3];
  /* io->in and io->out are those of the node. */
  int lengths, bias, h0, c0, peephole; /* inputs; -1 where absent */
  hone_dtype lengths_type;
  /* The packs, [direction] and of r [direction][gate]; NULL: made in each run, of these inputs. */
  const real *w, *r;
  int raw_w, raw_r;
  size_t w_step, r_step; /* elements from one to the next */
} hone_recurrent_layer;

#define hone_recurrent_w_size HONE_REAL_NAME(hone_recurrent_w_size)
#define hone_recurrent_r_size HONE_REAL_NAME(hone_recurrent_r_size)
#define hone_recurrent_packs  HONE_REAL_NAME(hone_recurrent_packs)
#define hone_recurrent_pack   HONE_REAL_NAME(hone_recurrent_pack)
#define hone_recurrent_plan   HONE_REAL_NAME(hone_recurrent_plan)

/* Elements of the packs of one direction's w and one gate's r; 0: too large. */
size_t hone_recurrent_w_size(const hone_recurrent_layer *layer);
size_t hone_recurrent_r_size(const hone_recurrent_layer *layer);
/* Elements of all packs; false when they are too many. */
bool hone_recurrent_packs(const hone_recurrent_layer *layer, size_t *out);
/* This part's share of all packs, of weights as ops/recurrent.h states them. */
void hone_recurrent_pack(const hone_recurrent_layer *layer, const real *w, const real *r,
                         real *to_w, real *to_r, int part, int parts);
/* Copies *layer into the arena. LIMIT when the scratch does not fit in memory. */
hone_status *hone_recurrent_plan(const hone_recurrent_layer *layer, hone_arena *arena,
                                 hone_kernel_plan *out);

#endif
