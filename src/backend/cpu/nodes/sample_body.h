/* grid_sample, roi_align and max_roi_pool nodes of floats: the channels of pixels picked and
 * blended whole. Room: backend/cpu/nodes.
 *
 * Positions are computed as the references do, in the same precision. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lines/index.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/products/real.h"
#include "base/pool.h"
#include "ops/sampling.h"

enum { MOST_ROWS = 64, FEW_CHANNELS = 8, PIXELS = HONE_WIDE_PLACES };

typedef struct sampling {
  hone_sampler sampler;
  const hone_node *node;
  hone_shape x, y;
  hone_dtype places[2]; /* of the grid or the regions, and of the batch indices */
  size_t images, image, channels;
  bool maximum;
  const hone_real_lines *lines;
  const hone_wide *wide;
  size_t part_scratch;
} sampling;

/* Rows of channels to blend. */
typedef struct blend {
  const real *rows[MOST_ROWS];
  real weights[MOST_ROWS];
  size_t count;
} blend;

/* out = the blended rows, or that added to it; `space` holds as many channels. */
static void flush(const sampling *s, blend *b, bool add, real *space, real *out) {
  size_t n = s->channels;
  if (n < FEW_CHANNELS) {
    for (size_t c = 0; c < n; c++) {
      real sum = add ? out[c] : 0;
      for (size_t k = 0; k < b->count; k++) sum += b->weights[k] * b->rows[k][c];
      out[c] = sum;
    }
  } else {
    s->lines->blend_rows(b->rows, b->weights, b->count, n, add ? space : out);
    for (size_t c = 0; add && c < n; c++) out[c] += space[c];
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

static void sample_pixel(const sampling *s, const real *image, const double *grid, real *out) {
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
    b.weights[k] = (real)last->weight[k];
  }
  flush(s, &b, false, NULL, out);
}

/* Pixel `i` of a block of a plane: four taps, of which those of weight 0 are not read. */
static void blend_taps(const sampling *s, const real *image, const hone_wide_taps *rows,
                       const hone_wide_taps *columns, size_t i, real *out) {
  size_t n = s->channels, width = (size_t)s->sampler.size[1] * n;
  const real *top = image + (size_t)rows->at[0][i] * width;
  const real *bottom = image + (size_t)rows->at[1][i] * width;
  size_t left = (size_t)columns->at[0][i] * n, right = (size_t)columns->at[1][i] * n;
  double upper = rows->weight[0][i], lower = rows->weight[1][i];
  double weight[4] = {upper * columns->weight[0][i], upper * columns->weight[1][i],
                      lower * columns->weight[0][i], lower * columns->weight[1][i]};
  if (n < FEW_CHANNELS && (weight[0] * weight[3]) != 0) { /* then none of the four is 0 */
    real w[4] = {(real)weight[0], (real)weight[1], (real)weight[2], (real)weight[3]};
    for (size_t c = 0; c < n; c++)
      out[c] = w[0] * top[left + c] + w[1] * top[right + c] + w[2] * bottom[left + c] +
               w[3] * bottom[right + c];
    return;
  }
  blend b;
  b.count = 0;
  const real *all[4] = {top + left, top + right, bottom + left, bottom + right};
  for (int k = 0; k < 4; k++) {
    b.rows[b.count] = all[k];
    b.weights[b.count] = (real)weight[k];
    b.count += weight[k] != 0;
  }
  flush(s, &b, false, NULL, out);
}

/* The same of nearest neighbours: the pixel itself, or nothing. */
static void copy_tap(const sampling *s, const real *image, const hone_wide_taps *rows,
                     const hone_wide_taps *columns, size_t i, real *out) {
  size_t pixel = (size_t)rows->at[0][i] * (size_t)s->sampler.size[1] + (size_t)columns->at[0][i];
  if (rows->weight[0][i] * columns->weight[0][i] != 0)
    memcpy(out, image + pixel * s->channels, s->channels * sizeof *out);
  else
    memset(out, 0, s->channels * sizeof *out);
}

static void run_plane(const void *args, const hone_kernel_io *io, int part, int parts) {
  const sampling *s = args;
  const hone_sampler *p = &s->sampler;
  const hone_wide_axis axes[2] = {
      {(double)p->size[0], p->align, p->padding == 'b', p->mode == 'n'},
      {(double)p->size[1], p->align, p->padding == 'b', p->mode == 'n'}};
  double grid[2 * PIXELS], places[2][PIXELS] = {{0}}; /* of rows, of columns */
  hone_wide_taps taps[2];
  size_t begin, end, pixels = hone_shape_span(&s->y, 1, s->y.rank - 1);
  hone_split(s->images * pixels, PIXELS, part, parts, &begin, &end);
  for (size_t from = begin; from < end; from += PIXELS) {
    size_t count = end - from < PIXELS ? end - from : PIXELS;
    hone_load_reals(s->places[0], io->in[1], 2 * from, 2 * count, grid);
    for (size_t i = 0; i < count; i++) places[0][i] = grid[2 * i + 1], places[1][i] = grid[2 * i];
    for (int d = 0; d < 2; d++) s->wide->taps(&axes[d], places[d], count, &taps[d]);
    size_t image = from / pixels, left = pixels - from % pixels; /* pixels of it */
    for (size_t i = 0; i < count; i++, left--) {
      if (left == 0) image++, left = pixels;
      const real *x = (const real *)io->in[0] + image * s->image;
      real *out = (real *)io->out[0] + (from + i) * s->channels;
      (p->mode == 'n' ? copy_tap : blend_taps)(s, x, &taps[0], &taps[1], i, out);
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
    sample_pixel(s, (const real *)io->in[0] + i / pixels * s->image, grid,
                 (real *)io->out[0] + i * s->channels);
  }
}

/* ---- roi_align ------------------------------------------------------------------------------ */

/* The four neighbours of a sample and their weights; all 0 outside. */
static void neighbours_of(const sampling *s, const real *image, float y, float x, const real **rows,
                          double *weights) {
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
static void raise_to(size_t channels, const real *const *rows, const double *weights, bool first,
                     real *out) {
  for (size_t c = 0; c < channels; c++) {
    double most = -INFINITY;
    for (int i = 0; i < 4; i++) most = fmax(most, weights[i] * (double)rows[i][c]);
    if (first || most > (double)out[c]) out[c] = (real)most;
  }
}

static void align_cell(const sampling *s, const hone_region *g, const real *image, int64_t row,
                       int64_t column, real *space, real *out) {
  blend b = {.count = 0};
  double weights[4], share = 1 / (double)(g->rows * g->columns);
  const real *rows[4];
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
        b.weights[b.count++] = (real)(weights[k] * share);
      }
      if (b.count <= MOST_ROWS - 4) continue;
      flush(s, &b, added, space, out);
      added = true;
    }
  if (b.count) flush(s, &b, added, space, out);
}

/* The image that element `element` of input `input` names as number `index`. */
static const real *image_at(const sampling *s, const hone_kernel_io *io, int input, size_t element,
                            int64_t index) {
  return (const real *)io->in[0] + hone_place_at(io, input, element, index, s->images) * s->image;
}

static void run_align(const void *args, const hone_kernel_io *io, int part, int parts) {
  const sampling *s = args;
  real *space = (real *)((char *)io->scratch + (size_t)part * s->part_scratch);
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
               (int64_t)(cell % width), space, (real *)io->out[0] + i * s->channels);
  }
}

/* ---- max_roi_pool --------------------------------------------------------------------------- */

static void pool_cell(const sampling *s, const real *image, const int64_t *rows,
                      const int64_t *columns, real *space, real *out) {
  const real *all[MOST_ROWS];
  size_t count = 0, n = s->channels;
  bool first = true;
  memset(out, 0, n * sizeof *out);
  for (int64_t i = rows[0]; i < rows[1]; i++)
    for (int64_t j = columns[0]; j < columns[1]; j++) {
      all[count++] = image + (size_t)(i * s->x.dim[2] + j) * n;
      bool last = i == rows[1] - 1 && j == columns[1] - 1;
      if (count < MOST_ROWS && !last) continue;
      s->lines->max_rows(all, count, n, first ? out : space);
      if (!first) s->lines->max_rows((const real *[]){out, space}, 2, n, out);
      first = false;
      count = 0;
    }
}

static void run_roi_pool(const void *args, const hone_kernel_io *io, int part, int parts) {
  const sampling *s = args;
  real *space = (real *)((char *)io->scratch + (size_t)part * s->part_scratch);
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
    const real *image = image_at(s, io, 1, i / cells * 5, hone_region_image(roi[0]));
    pool_cell(s, image, rows, columns, space, (real *)io->out[0] + i * s->channels);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  const hone_type *x = &node->inputs[0].value->type;
  (void)row;
  int most_rank = hone_node_text(node, "mode")[0] == 'c' ? 3 : 6; /* MOST_ROWS taps */
  return x->dtype == HONE_REAL_DTYPE && x->shape.rank >= 3 && x->shape.rank - 2 <= most_rank;
}

static bool region_accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[0].value->type.dtype == HONE_REAL_DTYPE;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  sampling *s = HONE_NEW(arena, sampling);
  HONE_TRY_MEMORY(s);
  *s = (sampling){.node = view->node,
                  .x = view->in[0]->shape,
                  .y = view->out[0]->shape,
                  .lines = hone_real_lines_here(),
                  .wide = hone_wide_here()};
  for (int i = 0; i < 2; i++)
    if (view->in[1 + i]) s->places[i] = view->in[1 + i]->dtype;
  s->images = (size_t)s->x.dim[0];
  s->image = hone_shape_span(&s->x, 1, s->x.rank);
  if (s->images == 0 || s->image == 0) return hone_error(HONE_UNSUPPORTED, "an empty picture");
  s->channels = (size_t)s->x.dim[s->x.rank - 1];
  s->part_scratch = hone_align_up(s->channels * sizeof(real), 64);
  double pixels = (double)hone_shape_span(&s->y, 0, s->y.rank - 1);
  double taps = 4;
  hone_kernel_phase *run = run_roi_pool;
  if (row->op == &hone_op_grid_sample) {
    s->sampler = hone_sampler_of(view->node, &s->x);
    taps = pow(s->sampler.taps, s->sampler.rank);
    bool plane = s->sampler.rank == 2 && s->sampler.mode != 'c' && s->sampler.padding != 'r' &&
                 s->x.dim[1] <= INT32_MAX && s->x.dim[2] <= INT32_MAX;
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

const hone_node_functions HONE_REAL_NAME(hone_node_sample) = {.accepts = accepts, .plan = plan};
const hone_node_functions HONE_REAL_NAME(hone_node_roi_align) = {.accepts = region_accepts,
                                                                 .plan = plan};
