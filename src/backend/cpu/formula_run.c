/* Running formulas over whole outputs and on tiles. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/nodes/formula_step.h"
#include "base/pool.h"

/* What is shorter than this is not worth a pass of the steps. Rows that are share one with their
 * neighbours; where those are too few the output is one row, and streams that repeat within it are
 * gathered element by element. */
#define LEAST_ROW 32
#define TEMPORARY  2 /* blocks */
/* fill writes no further than this beyond its count */
#define FILL_SLACK 15

/* How a stream comes into its register. */
typedef enum way {
  STILL,  /* one element for all */
  FLAT,   /* as it lies */
  REPEAT, /* the same row again and again */
  STACK,  /* rows or elements of rows, each from its own place */
  GATHER  /* elements, each from its own place */
} way;

/* A formula bound to shapes. The output is `rows` rows of `row` elements, which may be `deep` short
 * rows one after the other. */
typedef struct bound {
  const hone_formula *formula;
  hone_lane_function *const *lanes;
  int rank; /* of what the rows run over, or a gather steps through */
  size_t rows, row, deep;
  size_t stack;      /* short rows that are computed at once; else 0 */
  size_t fill;       /* most elements of a row that are computed at once */
  int own, first_in; /* of tiles; own is -1 elsewhere */
  bool placeless;    /* of tiles: no operand depends on the place */
  size_t scratch_at, part_scratch;
  way way[HONE_FORMULA_STREAMS];
  ptrdiff_t row_stride[HONE_FORMULA_STREAMS]; /* 0 or 1 */
  ptrdiff_t deep_stride[HONE_FORMULA_STREAMS];
  size_t size[HONE_MAX_RANK];
  ptrdiff_t stride[HONE_FORMULA_STREAMS][HONE_MAX_RANK];
} bound;

static size_t register_bytes(const hone_formula *f) {
  return hone_align_up((HONE_BLOCK + FILL_SLACK) * f->widest, 64);
}

size_t hone_formula_scratch(const hone_formula *f) {
  return (size_t)f->register_count * register_bytes(f) + TEMPORARY * sizeof(hone_block);
}

/* ---- Binding -------------------------------------------------------------------------------- */

/* The step of a stream along `axis` of an output of `rank` axes. */
static ptrdiff_t axis_stride(const hone_shape *shape, const int64_t *strides, int axis, int rank) {
  int own = axis - (rank - shape->rank);
  return own < 0 || shape->dim[own] == 1 ? 0 : (ptrdiff_t)strides[own];
}

/* Joins neighbouring axes that all streams step through alike. `keep_last` leaves the last axis
 * alone. */
static void bind_axes(bound *b, const hone_type *types, const hone_shape *shape, bool keep_last) {
  const hone_formula *f = b->formula;
  int64_t strides[HONE_FORMULA_STREAMS][HONE_MAX_RANK];
  for (int s = 0; s < f->stream_count; s++)
    hone_shape_strides(&types[f->streams[s]->id].shape, strides[s]);
  for (int axis = 0; axis < shape->rank; axis++) {
    size_t size = (size_t)shape->dim[axis];
    bool last = keep_last && axis == shape->rank - 1;
    if (size == 1 && !last) continue;
    ptrdiff_t step[HONE_FORMULA_STREAMS];
    bool joins = b->rank > 0 && !last;
    for (int s = 0; s < f->stream_count; s++) {
      step[s] = s == b->own
                    ? 0
                    : axis_stride(&types[f->streams[s]->id].shape, strides[s], axis, shape->rank);
      if (joins && b->stride[s][b->rank - 1] != step[s] * (ptrdiff_t)size) joins = false;
    }
    int to = joins ? b->rank - 1 : b->rank++;
    b->size[to] = joins ? b->size[to] * size : size;
    for (int s = 0; s < f->stream_count; s++) b->stride[s][to] = step[s];
  }
}

/* Takes the last axis of what remains; its strides. */
static size_t take_axis(bound *b, ptrdiff_t *stride) {
  b->rank--;
  for (int s = 0; s < b->formula->stream_count; s++) stride[s] = b->stride[s][b->rank];
  return b->size[b->rank];
}

/* Takes the next axis as one of short rows, as many of which are computed at once as a block holds.
 */
static void stack_rows(bound *b, size_t most) {
  b->deep = take_axis(b, b->deep_stride);
  b->stack = most;
  b->fill = most * b->row;
  for (int s = 0; s < b->formula->stream_count; s++) {
    ptrdiff_t flat = b->row_stride[s] ? (ptrdiff_t)b->row : 0;
    if (b->deep_stride[s] != flat) b->way[s] = b->deep_stride[s] ? STACK : REPEAT;
  }
}

/* The output as one row. */
static void gather_rows(bound *b, size_t total) {
  b->rank++;
  for (int s = 0; s < b->formula->stream_count; s++) {
    bool flat = true, still = true;
    size_t span = 1;
    for (int axis = b->rank - 1; axis >= 0; axis--) {
      flat = flat && b->stride[s][axis] == (ptrdiff_t)span;
      still = still && b->stride[s][axis] == 0;
      span *= b->size[axis];
    }
    b->way[s] = flat ? FLAT : still ? STILL : GATHER;
    b->row_stride[s] = flat ? 1 : 0;
  }
  b->row = total;
}

/* Takes the last joined axis as the row. */
static void bind_rows(bound *b, size_t total, bool tile) {
  b->row = b->rank > 0 ? take_axis(b, b->row_stride) : 1;
  b->fill = HONE_BLOCK;
  b->deep = 1;
  for (int s = 0; s < b->formula->stream_count; s++) b->way[s] = b->row_stride[s] ? FLAT : STILL;
  if (!tile && b->row && b->row < HONE_BLOCK) {
    size_t most = HONE_BLOCK / b->row, deep = b->rank > 0 ? b->size[b->rank - 1] : 1;
    if (most > deep) most = deep;
    if (most > 1 && most * b->row >= LEAST_ROW)
      stack_rows(b, most);
    else if (b->row >= LEAST_ROW)
      b->fill = b->row;
    else if (b->rank > 0)
      gather_rows(b, total);
  }
  b->rows = b->row && b->deep ? total / (b->row * b->deep) : 0;
}

static bound *new_bound(const hone_formula *formula, hone_arena *arena) {
  bound *b = HONE_NEW(arena, bound);
  if (!b) return NULL;
  b->formula = formula;
  b->lanes = hone_lanes();
  b->own = -1;
  b->part_scratch = hone_formula_scratch(formula);
  return b;
}

/* ---- One run of elements -------------------------------------------------------------------- */

/* What a part works with. */
typedef struct state {
  const bound *b;
  void *registers[HONE_FORMULA_REGISTERS];
  hone_block *temporary;
  const void *stream[HONE_FORMULA_STREAMS];
  ptrdiff_t at[HONE_FORMULA_STREAMS];     /* of the current row, in elements */
  ptrdiff_t filled[HONE_FORMULA_STREAMS]; /* which element fills the register; -1: none */
} state;

static void start(state *st, const bound *b, char *scratch) {
  const hone_formula *f = b->formula;
  st->b = b;
  for (int r = 0; r < f->register_count; r++)
    st->registers[r] = scratch + (size_t)r * register_bytes(f);
  st->temporary = (hone_block *)(scratch + (size_t)f->register_count * register_bytes(f));
  for (int s = 0; s < f->stream_count; s++) st->filled[s] = -1;
  for (int i = 0; i < f->step_count; i++) {
    const hone_formula_step *step = &f->steps[i];
    for (int k = 0; k < 3; k++) {
      int r = step->in[k];
      if (f->filled >> r & 1)
        hone_register_fill(hone_register_type(step->from), &f->fills[r], 0, HONE_BLOCK,
                           st->registers[r]);
    }
  }
}

/* Offsets of row `index` of the whole output. */
static void seek(state *st, size_t index) {
  const bound *b = st->b;
  for (int s = 0; s < b->formula->stream_count; s++) st->at[s] = 0;
  if (b->rows <= 1 && b->own < 0) return;
  for (int axis = b->rank - 1; axis >= 0; axis--) {
    size_t position = index % b->size[axis];
    index /= b->size[axis];
    for (int s = 0; s < b->formula->stream_count; s++)
      st->at[s] += (ptrdiff_t)position * b->stride[s][axis];
  }
}

/* Elements [from, from + count) of the output, each from its own place in the stream. */
static void gather(const state *st, int s, size_t from, size_t count, void *to) {
  const bound *b = st->b;
  hone_dtype dtype = b->formula->streams[s]->type.dtype;
  size_t width = hone_register_bytes(dtype);
  size_t position[HONE_MAX_RANK];
  ptrdiff_t at = 0;
  for (int axis = b->rank - 1; axis >= 0; axis--) {
    position[axis] = from % b->size[axis];
    from /= b->size[axis];
    at += (ptrdiff_t)position[axis] * b->stride[s][axis];
  }
  for (size_t i = 0; i < count; i++) {
    if (dtype == HONE_F32)
      ((float *)to)[i] = ((const float *)st->stream[s])[at];
    else
      hone_register_load(dtype, st->stream[s], (size_t)at, 1, (char *)to + i * width);
    for (int axis = b->rank - 1; axis >= 0; axis--) {
      at += b->stride[s][axis];
      if (++position[axis] < b->size[axis]) break;
      at -= (ptrdiff_t)position[axis] * b->stride[s][axis];
      position[axis] = 0;
    }
  }
}

/* `rows` short rows from element `at` of the stream on, one after the other. */
static void stack(const state *st, int s, ptrdiff_t at, size_t rows, void *to) {
  const bound *b = st->b;
  hone_dtype dtype = b->formula->streams[s]->type.dtype;
  size_t width = hone_register_bytes(dtype);
  char *row = to;
  for (size_t i = 0; i < rows; i++, row += b->row * width, at += b->deep_stride[s]) {
    if (b->row_stride[s] == 0)
      hone_register_fill(dtype, st->stream[s], (size_t)at, b->row, row);
    else
      hone_register_load(dtype, st->stream[s], (size_t)at, b->row, row);
  }
}

/* Puts `count` elements from column `from` of the current row into the streams' registers; of short
 * rows, whole ones from the one of number `from` on. */
static void load(state *st, size_t from, size_t count) {
  const bound *b = st->b;
  const hone_formula *f = b->formula;
  for (int s = 0; s < f->stream_count; s++) {
    if (s == b->own) continue;
    int r = f->stream_register[s];
    hone_dtype dtype = f->streams[s]->type.dtype;
    ptrdiff_t at = st->at[s] + (ptrdiff_t)from * (b->stack ? b->deep_stride[s] : b->row_stride[s]);
    if (b->way[s] == STILL || b->way[s] == REPEAT) {
      if (st->filled[s] == at) continue;
      if (b->way[s] == STILL)
        hone_register_fill(dtype, st->stream[s], (size_t)at, b->fill, st->registers[r]);
      else
        stack(st, s, at, b->stack, st->registers[r]);
      st->filled[s] = at;
    } else if (b->way[s] == GATHER) {
      gather(st, s, from, count, st->registers[r]);
    } else if (b->way[s] == STACK) {
      stack(st, s, at, count / b->row, st->registers[r]);
    } else if (hone_lies_as_register(dtype)) {
      ptrdiff_t size = (ptrdiff_t)hone_dtype_bits(dtype) / 8;
      st->registers[r] = (char *)(uintptr_t)st->stream[s] + at * size;
    } else {
      hone_register_load(dtype, st->stream[s], (size_t)at, count, st->registers[r]);
    }
  }
}

static void compute(state *st, size_t count) {
  const hone_formula *f = st->b->formula;
  for (int i = 0; i < f->step_count; i++)
    hone_formula_step_run(&f->steps[i], st->b->lanes, st->registers, count, st->temporary);
}

/* ---- Over the whole output ------------------------------------------------------------------ */

static void run_block(state *st, const hone_kernel_io *io, size_t to, size_t from, size_t count) {
  const hone_formula *f = st->b->formula;
  load(st, from, count);
  for (int k = 0; k < f->result_count; k++)
    if (hone_lies_as_register(f->results[k]->type.dtype))
      st->registers[f->result_register[k]] =
          (char *)io->out[k] + to * (hone_dtype_bits(f->results[k]->type.dtype) / 8);
  compute(st, count);
  for (int k = 0; k < f->result_count; k++) {
    hone_dtype dtype = f->results[k]->type.dtype;
    if (!hone_lies_as_register(dtype))
      hone_register_store(dtype, st->registers[f->result_register[k]], count, io->out[k], to);
  }
}

static void run_whole(const void *args, const hone_kernel_io *io, int part, int parts) {
  const bound *b = args;
  state st;
  start(&st, b, (char *)io->scratch + (size_t)part * b->part_scratch);
  for (int s = 0; s < b->formula->stream_count; s++) st.stream[s] = io->in[s];
  /* a row's elements in blocks, or its short rows */
  size_t unit = b->stack ? b->row : 1, units = b->stack ? b->deep : b->row;
  size_t most = b->stack ? b->stack : HONE_BLOCK, blocks = (units + most - 1) / most, begin, end;
  hone_split(b->rows * blocks, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t row = i / blocks, from = i % blocks * most;
    if (i == begin || from == 0) seek(&st, row);
    size_t left = units - from, count = left < most ? left : most;
    run_block(&st, io, (row * units + from) * unit, from, count * unit);
  }
}

hone_status *hone_formula_plan(const hone_formula *formula, const hone_type *types,
                               hone_arena *arena, hone_kernel_plan *out) {
  bound *b = new_bound(formula, arena);
  HONE_TRY_MEMORY(b);
  const hone_shape *shape = &types[formula->results[0]->id].shape;
  size_t total = 0;
  if (!hone_shape_count(shape, &total))
    return hone_error(HONE_LIMIT, "the size of a pointwise result overflows");
  for (int i = 1; i < formula->result_count; i++)
    if (!hone_shape_equal(shape, &types[formula->results[i]->id].shape))
      return hone_error(HONE_UNSUPPORTED, "the results of a pointwise group differ in shape");
  bind_axes(b, types, shape, false);
  bind_rows(b, total, false);
  *out = (hone_kernel_plan){
      .phases = {run_whole}, .phase_count = 1, .args = b, .part_scratch = b->part_scratch};
  return NULL;
}

/* ---- On tiles ------------------------------------------------------------------------------- */

/* Whether each element has the same operands, whatever its place. */
static bool is_placeless(const bound *b) {
  bool placeless = true;
  for (int s = 0; s < b->formula->stream_count; s++) {
    if (s == b->own) continue;
    placeless = placeless && b->way[s] == STILL;
    for (int axis = 0; axis < b->rank; axis++) placeless = placeless && b->stride[s][axis] == 0;
  }
  return placeless;
}

static void compute_own(state *st, float *at, size_t count) {
  const hone_formula *f = st->b->formula;
  st->registers[f->stream_register[st->b->own]] = at;
  st->registers[f->result_register[0]] = at;
  compute(st, count);
}

/* Rows of a tile whose place does not matter: a block of elements at a time, copied together where
 * the rows are shorter than that and apart, into HONE_BLOCK floats of the caller's. */
static void run_placeless(state *st, float *together, float *x, ptrdiff_t stride, size_t rows,
                          size_t columns) {
  load(st, 0, HONE_BLOCK);
  if (rows == 1 || stride == (ptrdiff_t)columns) columns *= rows, rows = 1;
  size_t most = columns && columns < HONE_BLOCK ? HONE_BLOCK / columns : 1;
  for (size_t r = 0, now; r < rows; r += now, x += (ptrdiff_t)now * stride) {
    now = rows - r < most ? rows - r : most;
    for (size_t i = 0; now > 1 && i < now; i++)
      memcpy(together + i * columns, x + (ptrdiff_t)i * stride, columns * sizeof(float));
    if (now > 1) compute_own(st, together, now * columns);
    for (size_t i = 0; now > 1 && i < now; i++)
      memcpy(x + (ptrdiff_t)i * stride, together + i * columns, columns * sizeof(float));
    for (size_t from = 0; now == 1 && from < columns; from += HONE_BLOCK)
      compute_own(st, x + from, columns - from < HONE_BLOCK ? columns - from : HONE_BLOCK);
  }
}

void hone_formula_tile(const void *program, const hone_kernel_io *io, int part, float *x,
                       ptrdiff_t stride, size_t rows, size_t columns, size_t row, size_t column) {
  const bound *b = program;
  const hone_formula *f = b->formula;
  state st;
  start(&st, b, (char *)io->scratch + b->scratch_at + (size_t)part * b->part_scratch);
  for (int s = 0, next = b->first_in; s < f->stream_count; s++)
    st.stream[s] = s == b->own ? NULL : io->in[next++];
  if (b->placeless) {
    float together[HONE_BLOCK];
    seek(&st, 0);
    run_placeless(&st, together, x, stride, rows, columns);
    return;
  }
  for (size_t r = 0; r < rows; r++) {
    seek(&st, row + r);
    for (size_t from = 0; from < columns; from += HONE_BLOCK) {
      size_t left = columns - from, count = left < HONE_BLOCK ? left : HONE_BLOCK;
      load(&st, column + from, count);
      compute_own(&st, x + (ptrdiff_t)r * stride + from, count);
    }
  }
}

hone_status *hone_formula_tile_plan(const hone_formula *formula, const hone_type *types,
                                    const hone_shape *shape, int own, int first_in,
                                    size_t scratch_at, hone_arena *arena, const void **state_out) {
  bound *b = new_bound(formula, arena);
  size_t total = 0;
  HONE_TRY_MEMORY(b);
  b->own = own;
  b->first_in = first_in;
  b->scratch_at = scratch_at;
  if (!hone_shape_count(shape, &total))
    return hone_error(HONE_LIMIT, "the size of a result overflows");
  bind_axes(b, types, shape, true);
  bind_rows(b, total, true);
  b->placeless = is_placeless(b);
  *state_out = b;
  return NULL;
}
