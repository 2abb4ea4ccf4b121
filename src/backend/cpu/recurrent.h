/* lstm, gru and rnn layers over a sequence, f32, weights packed for tiles. Room: backend/cpu.
 *
 * Two phases: all steps' products with the input at once, then the steps one after the other. A
 * unit of the second is a few sequences in one direction; units share nothing, so parts split them.
 * Meanings and shapes are those of ops/recurrent.h.
 */
#ifndef HONE_BACKEND_CPU_RECURRENT_H
#define HONE_BACKEND_CPU_RECURRENT_H

#include "backend/cpu/finish.h"
#include "backend/cpu/tile.h"
#include "base/memory.h"
#include "base/status.h"
#include "ir/dtype.h"

#define HONE_RECURRENT_GATES 4
#define HONE_RECURRENT_ROWS  8 /* sequences of a unit */

typedef enum hone_recurrent_kind {
  HONE_RECURRENT_LSTM, /* gates i, o, f, c; activations of gates, cell, hidden */
  HONE_RECURRENT_GRU,  /* gates z, r, h; activations of gates, hidden */
  HONE_RECURRENT_RNN   /* one gate; one activation */
} hone_recurrent_kind;

typedef struct hone_recurrent_layer {
  hone_recurrent_kind kind;
  const hone_tile_set *tiles;
  size_t steps, batch, input, hidden, gates, directions;
  bool reversed;                  /* the first direction */
  bool coupled;                   /* lstm: the forget gate is 1 - i */
  bool reset_after;               /* gru: the reset gate comes after the product */
  float clip;                     /* 0: none */
  hone_activation activations[2][3];
  /* io->in and io->out are those of the node. */
  int lengths, bias, h0, c0, peephole; /* inputs; -1 where absent */
  hone_dtype lengths_type;
  const float *w, *r;             /* packed; [direction], and of r [direction][gate] */
  size_t w_step, r_step;          /* floats from one to the next */
} hone_recurrent_layer;

/* Floats of the packs of one direction's w and one gate's r; 0: too large. */
size_t hone_recurrent_w_size(const hone_recurrent_layer *layer);
size_t hone_recurrent_r_size(const hone_recurrent_layer *layer);
/* Copies *layer into the arena. LIMIT when the scratch does not fit in memory. */
hone_status *hone_recurrent_plan(const hone_recurrent_layer *layer, hone_arena *arena,
                                 hone_kernel_plan *out);

#endif
