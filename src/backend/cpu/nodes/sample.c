/* grid_sample, roi_align and max_roi_pool nodes, f32: the channels of pixels picked and blended
 * whole. Room: backend/cpu/nodes.
 *
 * Positions are computed as the references do, in the same precision. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lines/index.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"
#include "ops/sampling.h"

enum { MOST_ROWS = 64, FEW_CHANNELS = 8, PIXELS = 64 };

typedef struct sampling {
  hone_sampler sampler;
  const hone_node *node;
  hone_shape x, y;
  hone_dtype places[2]; /* of the grid or the regions, and of the batch indices */
  size_t images, image, channels;
  bool maximum;
  const hone_strips *strips;
  hone_lane_function *const *lanes;
  size_t part_scratch;
} sampling;

/* Rows of channels to blend. */
typedef struct blend {
  const float *rows[MOST_ROWS];
  float weights[MOST_ROWS];
  size_t count;
} blend;

/* out = the blended rows, or that added to it; `space` holds as many channels. */
static void flush(const sampling *s, blend *b, bool add, float *space, float *out) {
  size_t n = s->channels;
  if (n < FEW_CHANNELS) {
    for (size_t c = 0; c < n; c++) {
      float sum = add ? out[c] : 0;
      for (size_t k = 0; k < b->count; k++) sum += b->weights[k] * b->rows[k][c];
      out[c] = sum;
    }
  } else {
    s->strips->blend_rows(b->rows, b->weights, b->count, n, add ? space : out);
    if (add) s->lanes[HONE_LANE_add](n, out, space, out, 0, 0, out);
  }
  b->count = 0;
}

/* ---- grid_sample ---------------------------------------------------------------------------- */

/* Pixels of the picture and their weights: every axis multiplies them by its taps. */
typedef struct pixel_taps {
  size_t offset[MOST_ROWS], count;
  double weight[MOST_ROWS];
} pixel_taps;

static void multiply_taps(const hone_sampler *p, int axis, double g, const pixel_taps *from,
                          pixel_taps *to) {
  int64_t index[HONE_SAMPLER_TAPS];
  double weight[HONE_SAMPLER_TAPS];
  hone_sampler_taps(p, axis, g, index, weight);
  to->count = 0;
  for (size_t k = 0; k < from->count; k++)
    for (int t = 0; t < p->taps; t++) {
      if (weight[t] == 0) continue;
      to->offset[to->count] = from->offset[k] * (size_t)p->size[axis] + (size_t)index[t];
      to->weight[to->count++] = from->weight[k] * weight[t];
    }
}

static void sample_pixel(const sampling *s, const float *image, const double *grid, float *out) {
  const hone_sampler *p = &s->sampler;
  pixel_taps first, second, *last = &first, *next = &second, *swap;
  last->count = 1;
  last->offset[0] = 0;
  last->weight[0] = 1;
  for (int i = 0; i < p->rank; i++) {
    multiply_taps(p, i, grid[p->rank - 1 - i], last, next);
    swap = last, last = next, next = swap;
  }
  blend b;
  b.count = last->count;
  for (size_t k = 0; k < last->count; k++) {
    b.rows[k] = image + last->offset[k] * s->channels;
    b.weights[k] = (float)last->weight[k];
  }
  flush(s, &b, false, NULL, out);
}

/* Two taps of one axis of a plane. */
typedef struct pair {
  size_t at[2];
  double weight[2];
} pair;

/* As hone_sampler_taps for linear and nearest without reflection, without its many cases; nearest
 * has one tap. */
HONE_INLINE void take_pair(const hone_sampler *s, int axis, double g, bool nearest, pair *out) {
  double size = (double)s->size[axis], last = size - 1;
  double x = s->align ? (g + 1) / 2 * last : ((g + 1) * size - 1) / 2;
  if (!(x > -1e15 && x < 1e15)) x = -1e15;    /* outside, like what is no number */
  if (nearest) x = (x + 0x1.8p52) - 0x1.8p52; /* to the nearest even integer */
  if (s->padding == 'b') x = x < 0 ? 0 : x > last ? last : x;
  int64_t low = (int64_t)x;
  low -= (double)low > x;
  double part = nearest ? 0 : x - (double)low, weight[2] = {1 - part, part};
  for (int i = 0; i < 2; i++) { /* no branches: where a position lies cannot be guessed */
    uint64_t at = (uint64_t)low + (uint64_t)i;
    bool inside = at < (uint64_t)s->size[axis];
    out->at[i] = at & -(uint64_t)inside;
    out->weight[i] = weight[i] * (double)inside;
  }
}

/* A pixel of a plane: four taps, of which those of weight 0 are not read. */
HONE_INLINE void sample_plane(const sampling *s, const float *image, const double *grid,
                              bool nearest, float *out) {
  pair row, column;
  size_t n = s->channels, width = (size_t)s->sampler.size[1] * n;
  take_pair(&s->sampler, 0, grid[1], nearest, &row);
  take_pair(&s->sampler, 1, grid[0], nearest, &column);
  double weight[4] = {row.weight[0] * column.weight[0], row.weight[0] * column.weight[1],
                      row.weight[1] * column.weight[0], row.weight[1] * column.weight[1]};
  const float *top = image + row.at[0] * width, *bottom = image + row.at[1] * width;
  size_t left = column.at[0] * n, right = column.at[1] * n;
  if (n < FEW_CHANNELS && (weight[0] * weight[3]) != 0) { /* then none of the four is 0 */
    float w[4] = {(float)weight[0], (float)weight[1], (float)weight[2], (float)weight[3]};
    for (size_t c = 0; c < n; c++)
      out[c] = w[0] * top[left + c] + w[1] * top[right + c] + w[2] * bottom[left + c] +
               w[3] * bottom[right + c];
    return;
  }
  blend b;
  b.count = 0;
  const float *rows[4] = {top + left, top + right, bottom + left, bottom + right};
  for (int i = 0; i < 4; i++) {
    b.rows[b.count] = rows[i];
    b.weights[b.count] = (float)weight[i];
    b.count += weight[i] != 0;
  }
  flush(s, &b, false, NULL, out);
}

static void run_plane(const void *args, const hone_kernel_io *io, int part, int parts) {
  const sampling *s = args;
  double grid[2 * PIXELS];
  size_t begin, end, pixels = hone_shape_span(&s->y, 1, s->y.rank - 1);
  hone_split(s->images * pixels, PIXELS, part, parts, &begin, &end);
  for (size_t from = begin; from < end; from += PIXELS) {
    size_t count = end - from < PIXELS ? end - from : PIXELS;
    hone_load_reals(s->places[0], io->in[1], 2 * from, 2 * count, grid);
    for (size_t i = 0; i < count; i++) {
      const float *image = (const float *)io->in[0] + (from + i) / pixels * s->image;
      float *out = (float *)io->out[0] + (from + i) * s->channels;
      if (s->sampler.mode == 'n')
        sample_plane(s, image, grid + 2 * i, true, out);
      else
        sample_plane(s, image, grid + 2 * i, false, out);
    }
  }
}

static void run_grid(const void *args, const hone_kernel_io *io, int part, int parts) {
  const sampling *s = args;
  double grid[HONE_MAX_SPATIAL];
  size_t rank = (size_t)s->sampler.rank, begin, end;
  size_t pixels = hone_shape_span(&s->y, 1, s->y.rank - 1);
  hone_split(s->images * pixels, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    hone_load_reals(s->places[0], io->in[1], i * rank, rank, grid);
    sample_pixel(s, (const float *)io->in[0] + i / pixels * s->image, grid,
                 (float *)io->out[0] + i * s->channels);
  }
}

/* ---- roi_align ------------------------------------------------------------------------------ */

/* The four neighbours of a sample and their weights; all 0 outside. */
static void neighbours_of(const sampling *s, const float *image, float y, float x,
                          const float **rows, double *weights) {
  int64_t row[2] = {0}, column[2] = {0};
  double down = 0, right = 0;
  bool inside = hone_region_neighbours(y, s->x.dim[1], &row[0], &row[1], &down) &&
                hone_region_neighbours(x, s->x.dim[2], &column[0], &column[1], &right);
  for (int i = 0; i < 4; i++) {
    size_t pixel = (size_t)(row[i / 2] * s->x.dim[2] + column[i % 2]);
    rows[i] = image + pixel * s->channels;
    weights[i] = inside ? (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right) : 0;
  }
}

/* Raises `out` to the largest weighted neighbour. */
static void raise_to(size_t channels, const float *const *rows, const double *weights, bool first,
                     float *out) {
  for (size_t c = 0; c < channels; c++) {
    double most = -INFINITY;
    for (int i = 0; i < 4; i++) most = fmax(most, weights[i] * (double)rows[i][c]);
    if (first || most > (double)out[c]) out[c] = (float)most;
  }
}

static void align_cell(const sampling *s, const hone_region *g, const float *image, int64_t row,
                       int64_t column, float *space, float *out) {
  blend b = {.count = 0};
  double weights[4], share = 1 / (double)(g->rows * g->columns);
  const float *rows[4];
  bool added = false;
  memset(out, 0, s->channels * sizeof *out);
  for (int64_t i = 0; i < g->rows; i++)
    for (int64_t j = 0; j < g->columns; j++) {
      neighbours_of(s, image, hone_region_sample(g->top, g->cell_height, row, i, g->rows),
                    hone_region_sample(g->left, g->cell_width, column, j, g->columns), rows,
                    weights);
      if (s->maximum) {
        raise_to(s->channels, rows, weights, i + j == 0, out);
        continue;
      }
      for (int k = 0; k < 4; k++) {
        if (weights[k] == 0) continue;
        b.rows[b.count] = rows[k];
        b.weights[b.count++] = (float)(weights[k] * share);
      }
      if (b.count <= MOST_ROWS - 4) continue;
      flush(s, &b, added, space, out);
      added = true;
    }
  if (b.count) flush(s, &b, added, space, out);
}

/* The image that element `element` of input `input` names as number `index`. */
static const float *image_at(const sampling *s, const hone_kernel_io *io, int input, size_t element,
                             int64_t index) {
  return (const float *)io->in[0] + hone_place_at(io, input, element, index, s->images) * s->image;
}

static void run_align(const void *args, const hone_kernel_io *io, int part, int parts) {
  const sampling *s = args;
  float *space = (float *)((char *)io->scratch + (size_t)part * s->part_scratch);
  size_t begin, end, cells = hone_shape_span(&s->y, 1, 3), width = (size_t)s->y.dim[2];
  hone_split((size_t)s->y.dim[0] * cells, 1, part, parts, &begin, &end);
  hone_region region = {0};
  for (size_t i = begin; i < end; i++) {
    size_t n = i / cells, cell = i % cells;
    double box[4];
    if (i == begin || cell == 0) {
      hone_load_reals(s->places[0], io->in[1], 4 * n, 4, box);
      region = hone_region_of(s->node, box);
    }
    int64_t batch = hone_load_int(s->places[1], io->in[2], n);
    align_cell(s, &region, image_at(s, io, 2, n, batch), (int64_t)(cell / width),
               (int64_t)(cell % width), space, (float *)io->out[0] + i * s->channels);
  }
}

/* ---- max_roi_pool --------------------------------------------------------------------------- */

static void pool_cell(const sampling *s, const float *image, const int64_t *rows,
                      const int64_t *columns, float *space, float *out) {
  const float *all[MOST_ROWS];
  size_t count = 0, n = s->channels;
  bool first = true;
  memset(out, 0, n * sizeof *out);
  for (int64_t i = rows[0]; i < rows[1]; i++)
    for (int64_t j = columns[0]; j < columns[1]; j++) {
      all[count++] = image + (size_t)(i * s->x.dim[2] + j) * n;
      bool last = i == rows[1] - 1 && j == columns[1] - 1;
      if (count < MOST_ROWS && !last) continue;
      s->strips->max_rows(all, count, n, first ? out : space);
      if (!first) s->lanes[HONE_LANE_max](n, out, space, out, 0, 0, out);
      first = false;
      count = 0;
    }
}

static void run_roi_pool(const void *args, const hone_kernel_io *io, int part, int parts) {
  const sampling *s = args;
  float *space = (float *)((char *)io->scratch + (size_t)part * s->part_scratch);
  size_t begin, end, cells = hone_shape_span(&s->y, 1, 3), width = (size_t)s->y.dim[2];
  double scale = hone_node_real(s->node, "scale");
  hone_split((size_t)s->y.dim[0] * cells, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    double roi[5];
    int64_t rows[2], columns[2], cell = (int64_t)(i % cells);
    hone_load_reals(s->places[0], io->in[1], i / cells * 5, 5, roi);
    hone_region_cell(roi[2] * scale, roi[4] * scale, cell / (int64_t)width, s->y.dim[1],
                     s->x.dim[1], &rows[0], &rows[1]);
    hone_region_cell(roi[1] * scale, roi[3] * scale, cell % (int64_t)width, s->y.dim[2],
                     s->x.dim[2], &columns[0], &columns[1]);
    const float *image = image_at(s, io, 1, i / cells * 5, hone_region_image(roi[0]));
    pool_cell(s, image, rows, columns, space, (float *)io->out[0] + i * s->channels);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  const hone_type *x = &node->inputs[0].value->type;
  (void)row;
  int most_rank = hone_node_text(node, "mode")[0] == 'c' ? 3 : 6; /* MOST_ROWS taps */
  return x->dtype == HONE_F32 && x->shape.rank >= 3 && x->shape.rank - 2 <= most_rank;
}

static bool region_accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[0].value->type.dtype == HONE_F32;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  sampling *s = HONE_NEW(arena, sampling);
  HONE_TRY_MEMORY(s);
  *s = (sampling){.node = view->node,
                  .x = view->in[0]->shape,
                  .y = view->out[0]->shape,
                  .strips = hone_strips_here(),
                  .lanes = hone_lanes()};
  for (int i = 0; i < 2; i++)
    if (view->in[1 + i]) s->places[i] = view->in[1 + i]->dtype;
  s->images = (size_t)s->x.dim[0];
  s->image = hone_shape_span(&s->x, 1, s->x.rank);
  if (s->images == 0 || s->image == 0) return hone_error(HONE_UNSUPPORTED, "an empty picture");
  s->channels = (size_t)s->x.dim[s->x.rank - 1];
  s->part_scratch = hone_align_up(s->channels * sizeof(float), 64);
  double pixels = (double)hone_shape_span(&s->y, 0, s->y.rank - 1);
  double taps = 4;
  hone_kernel_phase *run = run_roi_pool;
  if (row->op == &hone_op_grid_sample) {
    s->sampler = hone_sampler_of(view->node, &s->x);
    taps = pow(s->sampler.taps, s->sampler.rank);
    bool plane = s->sampler.rank == 2 && s->sampler.mode != 'c' && s->sampler.padding != 'r';
    run = plane ? run_plane : run_grid;
  } else if (row->op == &hone_op_roi_align) {
    s->maximum = strcmp(hone_node_text(view->node, "mode"), "max") == 0;
    taps = 16;
    run = run_align;
  }
  out->work = pixels * (30 + taps * (double)s->channels * 0.1);
  out->kernel = hone_one_phase(run, s);
  out->kernel.part_scratch = s->part_scratch;
  return NULL;
}

const hone_node_functions hone_node_sample = {.accepts = accepts, .plan = plan};
const hone_node_functions hone_node_roi_align = {.accepts = region_accepts, .plan = plan};
