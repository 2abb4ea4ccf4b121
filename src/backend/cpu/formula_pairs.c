/* Steps of a formula that follow each other as one: fewer passes over its registers. Each rounds as
 * it does alone. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/nodes/formula_step.h"

typedef struct pair {
  hone_lane first, second, both;
  bool either; /* the second takes the first's result as either operand */
} pair;

static const pair pairs[] = {
    {HONE_LANE_sub, HONE_LANE_mul, HONE_LANE_sub_mul, true},
    {HONE_LANE_add, HONE_LANE_mul, HONE_LANE_add_mul, true},
    {HONE_LANE_mul, HONE_LANE_mul, HONE_LANE_mul_mul, true},
    {HONE_LANE_mul, HONE_LANE_add, HONE_LANE_mul_add, true},
    {HONE_LANE_round, HONE_LANE_add, HONE_LANE_round_add, true},
    {HONE_LANE_round, HONE_LANE_clip, HONE_LANE_round_clip, false},
    {HONE_LANE_round_add, HONE_LANE_clip, HONE_LANE_round_add_clip, false},
};

/* Vectors of f32, whose attributes are not taken yet. */
static bool is_plain(const hone_formula_step *s) {
  return s->kind == HONE_STEP_LANE && s->from == HONE_F32 && s->to == HONE_F32;
}

static bool reads(const hone_formula_step *s, int r) {
  return s->in[0] == r || s->in[1] == r || s->in[2] == r;
}

/* Whether nobody but the next step reads what step `i` computes. */
static bool is_passed_on(const hone_formula *f, int i) {
  int r = f->steps[i].out;
  if (f->steps[i + 1].out == r) return true;
  for (int k = i + 2; k < f->step_count; k++) {
    if (reads(&f->steps[k], r)) return false;
    if (f->steps[k].out == r) return true;
  }
  for (int k = 0; k < f->result_count; k++)
    if (f->result_register[k] == r) return false;
  return true;
}

/* The one number that a register holds in every run. */
static bool constant_of(const hone_formula *f, int r, double *out) {
  if (f->filled >> r & 1) {
    *out = hone_load_real(HONE_F32, &f->fills[r], 0);
    return true;
  }
  for (int s = 0; s < f->stream_count; s++) {
    const hone_value *value = f->streams[s];
    if (f->stream_register[s] != r || !value->constant || value->type.dtype != HONE_F32 ||
        value->constant_size != sizeof(float))
      continue;
    *out = hone_load_real(HONE_F32, value->constant, 0);
    return true;
  }
  return false;
}

/* The operand of the second step beside the first's result; negative where it is that too. */
static int operand_beside(const hone_formula_step *first, const hone_formula_step *second,
                          bool either) {
  bool left = second->in[0] == first->out, right = second->in[1] == first->out;
  if (left && !right) return second->in[1];
  return either && right && !left ? second->in[0] : -1;
}

static bool join(hone_formula *f, int i, const pair *p) {
  hone_formula_step *a = &f->steps[i], *b = &f->steps[i + 1], both = *b;
  int beside = operand_beside(a, b, p->either);
  if (a->lane != p->first || b->lane != p->second || beside < 0 || !is_passed_on(f, i))
    return false;
  both.lane = p->both;
  memcpy(both.in, a->in, sizeof both.in);
  if (b->lane == HONE_LANE_clip) {
    if (b->in[2] == a->out || !constant_of(f, b->in[1], &both.attrs[0]) ||
        !constant_of(f, b->in[2], &both.attrs[1]))
      return false;
  } else {
    both.in[a->lane == HONE_LANE_round ? 1 : 2] = beside;
  }
  *a = both;
  f->step_count--;
  memmove(b, b + 1, (size_t)(f->step_count - i - 1) * sizeof *b);
  return true;
}

void hone_formula_pair_steps(hone_formula *formula) {
  for (int i = 0; i + 1 < formula->step_count;) {
    bool joined = false;
    for (size_t p = 0; !joined && p < sizeof pairs / sizeof *pairs; p++)
      joined = is_plain(&formula->steps[i]) && is_plain(&formula->steps[i + 1]) &&
               join(formula, i, &pairs[p]);
    if (!joined) i++;
  }
}
