/* Weights for an instruction that saturates. Room: backend/cpu/products. */
#include "backend/cpu/products/integer_split.h"

#include <string.h>

enum { LANES = HONE_SPLIT_LANES, STEP = HONE_INTEGER_STEP, MOST = 128 };

typedef int quads[LANES][STEP];

/* The weights of vector `vector` at step `step` before any split: planes, taps, depth in this order. */
static void gather(const hone_split_panel *p, size_t vector, size_t step, quads out) {
  const hone_integer_weights *w = p->weights;
  size_t depth = (w->depth + STEP - 1) / STEP, tap = step / depth, k = step % depth * STEP;
  int plane = (int)(tap / w->taps);
  const int16_t *from = w->data + (ptrdiff_t)p->group * w->strides.group +
                        (ptrdiff_t)(tap % w->taps) * w->strides.tap;
  for (size_t j = 0; j < LANES; j++) {
    size_t column = p->first + vector * LANES + j;
    for (size_t i = 0; i < STEP; i++) {
      bool there = column < w->columns && k + i < w->depth;
      int weight = there ? from[(ptrdiff_t)(k + i) * w->strides.depth +
                                (ptrdiff_t)column * w->strides.column]
                         : 0;
      out[j][i] = p->planes == 1 ? weight : hone_integer_plane_of(weight, plane);
    }
  }
}

/* Takes from the greater of a pair what its positive ones have too much, and adds that to `rest`;
 * `sign` -1 does so for the negative ones. */
static bool take_excess(int *pair, int *rest, int sign) {
  int a = sign * pair[0] > 0 ? sign * pair[0] : 0, b = sign * pair[1] > 0 ? sign * pair[1] : 0;
  int greater = b > a, excess = a + b - MOST;
  if (sign > 0 && (a == MOST || b == MOST) && excess < 1) excess = 1; /* no signed byte is 128 */
  if (excess <= 0) return false;
  pair[greater] -= sign * excess;
  rest[greater] += sign * excess;
  return true;
}

/* Splits a step as it is, or with the second of each pair of the other sign; whether a rest is left. */
static bool split(quads w, const bool flipped, quads rest) {
  bool left = false;
  memset(rest, 0, sizeof(quads));
  for (int j = 0; j < LANES; j++) {
    for (int i = 0; i < STEP; i += 2) {
      if (flipped) w[j][i + 1] = -w[j][i + 1];
      bool more = take_excess(&w[j][i], &rest[j][i], 1);
      bool less = take_excess(&w[j][i], &rest[j][i], -1);
      left = left || more || less;
    }
  }
  return left;
}

/* The better way for a step; whether it leaves a rest. */
static bool choose(const hone_split_panel *p, size_t vector, size_t step, quads w, quads rest,
                   bool *flipped) {
  for (int way = 0; way < 2; way++) {
    *flipped = way;
    gather(p, vector, step, w);
    if (!split(w, way, rest)) return false;
  }
  *flipped = false;
  gather(p, vector, step, w);
  return split(w, false, rest);
}

size_t hone_split_whole_steps(const hone_split_panel *p) {
  const hone_integer_weights *w = p->weights;
  return (size_t)p->planes * w->taps * ((w->depth + STEP - 1) / STEP);
}

size_t hone_split_steps(const hone_split_panel *p) {
  size_t most = 0, whole = hone_split_whole_steps(p);
  for (size_t vector = 0; vector < p->vectors; vector++) {
    size_t rests = 0;
    for (size_t step = 0; step < whole; step++) {
      quads w, rest;
      bool flipped;
      rests += choose(p, vector, step, w, rest, &flipped);
    }
    if (rests > most) most = rests;
  }
  return whole + most;
}

static void put(const hone_split_panel *p, size_t vector, size_t step, uint32_t place,
                quads w, uint32_t *places, int8_t *to) {
  size_t at = step * p->vectors + vector;
  places[at] = place;
  for (size_t j = 0; j < LANES; j++)
    for (size_t i = 0; i < STEP; i++)
      to[at * HONE_SPLIT_STEP_BYTES + j * STEP + i] = (int8_t)w[j][i];
}

void hone_split_pack(const hone_split_panel *p, size_t steps, uint32_t *places, int8_t *to,
                     int32_t *constant) {
  size_t whole = hone_split_whole_steps(p);
  memset(places, 0, steps * p->vectors * sizeof *places);
  memset(to, 0, steps * p->vectors * HONE_SPLIT_STEP_BYTES);
  for (size_t vector = 0; vector < p->vectors; vector++) {
    size_t next = whole;
    for (size_t step = 0; step < whole; step++) {
      quads w, rest;
      bool flipped, left = choose(p, vector, step, w, rest, &flipped);
      uint32_t place = (uint32_t)(step * 2 + flipped) * STEP;
      put(p, vector, step, place, w, places, to);
      if (left) put(p, vector, next++, place, rest, places, to);
      for (size_t j = 0; flipped && j < LANES; j++)
        for (size_t i = 1; i < STEP; i += 2)
          constant[vector * LANES + j] -= 255 * (w[j][i] + rest[j][i]);
    }
  }
}
