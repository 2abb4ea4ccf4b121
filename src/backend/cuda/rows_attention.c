/* Attention on the GPU. Room: backend/cuda. */
#include <math.h>

#include "backend/cuda/reads.h"
#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"

enum { Q, K, V, MASK, LENGTHS, OFFSET };
#define MOST_SIZE 256 /* of a head */

static bool is_small(const hone_value *value) {
  hone_dim size = value->type.shape.rank == 4 ? value->type.shape.dim[3] : -1;
  return hone_dim_known(size) && size <= MOST_SIZE;
}

bool hone_cuda_is_attention(const hone_node *node) {
  if (node->op != &hone_op_attention || hone_node_in(node, LENGTHS) || hone_node_in(node, OFFSET) ||
      hone_node_out(node, 1))
    return false;
  if (hone_node_real(node, "softcap") > 0 || hone_node_int(node, "left") >= 0 ||
      hone_node_int(node, "right") >= 0)
    return false;
  const hone_value *q = node->inputs[Q].value, *mask = hone_node_in(node, MASK);
  if (hone_dtype_class_of(q->type.dtype) != HONE_CLASS_FLOAT || !hone_cuda_type(q->type.dtype))
    return false;
  if (mask && (!hone_cuda_type(mask->type.dtype) || mask->type.shape.rank < 0)) return false;
  return is_small(q) && is_small(node->inputs[K].value) && is_small(node->inputs[V].value);
}

static void define_attention(const hone_node *node, hone_text *out) {
  const hone_value *mask = hone_node_in(node, MASK);
  double scale = hone_node_real(node, "scale");
  hone_cuda_define_types(node->inputs[Q].value->type.dtype, out);
  if (scale == 0) scale = 1 / sqrt((double)node->inputs[Q].value->type.shape.dim[3]);
  hone_text_printf(out,
                   "#define SCALE R(%.17g)\n#define CAUSAL %d\n#define MASKED %d\n"
                   "#define MASK_IS_BOOL %d\n",
                   scale, hone_node_flag(node, "causal"), mask != NULL,
                   mask && mask->type.dtype == HONE_BOOL);
  if (mask) hone_text_printf(out, "typedef %s M;\n", hone_cuda_type(mask->type.dtype));
}

/* Tiles of heads this large fit in the 48 KB of shared memory that every block may have. */
#define MOST_IN_TILES 128

static bool accepts_tiles(const hone_node *node) {
  if (!hone_cuda_is_attention(node) || node->inputs[Q].value->type.dtype == HONE_F64) return false;
  return node->inputs[Q].value->type.shape.dim[3] <= MOST_IN_TILES &&
         node->inputs[V].value->type.shape.dim[3] <= MOST_IN_TILES;
}

static void define_tiles(const hone_node *node, hone_text *out) {
  define_attention(node, out);
  hone_text_printf(out, "#define HEAD %lld\n#define VALUE %lld\n",
                   (long long)node->inputs[Q].value->type.shape.dim[3],
                   (long long)node->inputs[V].value->type.shape.dim[3]);
}

static bool accepts_tensor_of(const hone_node *node, hone_dtype dtype) {
  return accepts_tiles(node) && node->inputs[Q].value->type.dtype == dtype;
}
static bool accepts_attention_f16(const hone_node *node) {
  return accepts_tensor_of(node, HONE_F16);
}
static bool accepts_attention_bf16(const hone_node *node) {
  return accepts_tensor_of(node, HONE_BF16);
}

static bool accepts_attention_tf32(const hone_node *node) {
  return accepts_tensor_of(node, HONE_F32) && hone_node_flag(node, "tf32");
}

static void define_attention_tensor(const hone_node *node, hone_text *out) {
  define_tiles(node, out);
  hone_cuda_define_kind(node->inputs[Q].value->type.dtype, out);
}

static void put_mask(const hone_shape *mask, int64_t keys, long long *n) {
  int64_t strides[HONE_MAX_RANK];
  hone_shape_strides(mask, strides);
  n[7] = keys;
  for (int d = 0; d < mask->rank; d++)
    n[8 + 4 - mask->rank + d] = mask->dim[d] == 1 ? 0 : strides[d];
  if (mask->rank && mask->dim[mask->rank - 1] != 1) n[7] = mask->dim[mask->rank - 1];
}

/* At n[13 + 4 i]: where q, k, v and the result begin, and their steps from batch to batch, head to head,
 * row to row. */
static void put_strides(const hone_cuda_stage *stage, const hone_cuda_plan *plan,
                        hone_cuda_launch *launch) {
  const hone_cuda_reads *reads = &plan->reads[stage - plan->body->stages];
  for (int i = 0; i <= HONE_CUDA_STRIDED; i++) {
    const hone_strided *s = i < HONE_CUDA_STRIDED ? &reads->in[i] : &reads->out;
    long long *n = launch->args.n + 13 + 4 * i;
    n[0] = s->layout.at;
    for (int d = 0; d < 3; d++) n[1 + d] = s->layout.stride[d];
  }
}

/* Blocks of `queries` rows of a head each. */
static void set_queries(hone_cuda_launch *launch, int64_t heads, int64_t queries) {
  long long *n = launch->args.n;
  n[12] = (n[3] + queries - 1) / queries;
  n[0] = heads * n[12];
  hone_cuda_launch_blocks(launch, n[0]);
}

static hone_status *make_launch(const hone_cuda_stage *stage, hone_cuda_plan *plan, int64_t queries,
                                hone_cuda_launch **out) {
  const hone_node *node = stage->core;
  const hone_shape *q = hone_cuda_shape(plan, node->inputs[Q].value);
  const hone_shape *k = hone_cuda_shape(plan, node->inputs[K].value);
  HONE_TRY(hone_cuda_launch_new(plan, stage, out));
  long long *n = (*out)->args.n;
  n[1] = q->dim[1];
  n[2] = k->dim[1];
  n[3] = q->dim[2];
  n[4] = k->dim[2];
  n[5] = q->dim[3];
  n[6] = hone_cuda_shape(plan, node->inputs[V].value)->dim[3];
  if (hone_node_in(node, MASK))
    put_mask(hone_cuda_shape(plan, node->inputs[MASK].value), k->dim[2], n);
  set_queries(*out, q->dim[0] * q->dim[1], queries);
  return NULL;
}

static hone_status *plan_attention(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  return make_launch(stage, plan, 1, &launch);
}

#define TILE_QUERIES 16

static hone_status *plan_tiles(const hone_cuda_stage *stage, const hone_group_view *view,
                               hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  return make_launch(stage, plan, TILE_QUERIES, &launch);
}

/* ---- On tensor cores -------------------------------------------------------------------------- */

#define TENSOR_QUERIES 64 /* of four warps */
#define TENSOR_THREADS 128

/* The forms beside attention_tensor.cu, for compute capability 9.0: attention_hopper.cu by how many keys
 * a tile has, two tiles in shared memory; attention_narrow.cu by how many a warp takes at a time;
 * attention_heads.cu by how many a head may have. */
typedef enum way_kind { BY_TILES, NARROW, BY_HEADS } way_kind;
static const struct {
  way_kind kind;
  int64_t keys;
} forms[] = {{BY_TILES, 64}, {BY_TILES, 112}, {BY_TILES, 128},
             {NARROW, 32},   {NARROW, 64},    {BY_HEADS, 128}, {BY_HEADS, 208}};
#define FORMS      7
_Static_assert(FORMS == sizeof forms / sizeof *forms, "all are counted");
#define TILE_FORMS 3
#define BY_WARPS   hone_cuda_text_attention_warps
#define BY_GROUPS  hone_cuda_text_attention_groups
#define WITH_KEYS(file, keys, before)                                                              \
  {hone_cuda_text_attention_##file, "#define KEYS " #keys "\n", true, before}
#define TENSOR_FORMS                                                                               \
  {{hone_cuda_text_attention_tensor, "#define KEYS 64\n", false, BY_WARPS},                        \
   WITH_KEYS(hopper, 64, BY_GROUPS), WITH_KEYS(hopper, 112, BY_GROUPS),                            \
   WITH_KEYS(hopper, 128, BY_GROUPS), WITH_KEYS(narrow, 32, BY_WARPS),                             \
   WITH_KEYS(narrow, 64, BY_WARPS), WITH_KEYS(heads, 128, BY_GROUPS),                               \
   WITH_KEYS(heads, 208, BY_GROUPS)}
#define MOST_SHARED   (226 << 10) /* bytes of a block */
#define WAVE          132         /* multiprocessors of a large GPU */
#define ENOUGH_BLOCKS (2 * WAVE)

/* How one of them runs: by tiles groups of four warps in a block, and whether they go on to the head's
 * next queries until all are done. */
typedef struct boxed_way {
  int form, groups;
  bool whole_heads;
} boxed_way;
#define TILE_WAYS (TILE_FORMS * 4)
_Static_assert(1 + TILE_WAYS + FORMS - TILE_FORMS == HONE_CUDA_ATTENTION_VARIANTS,
               "the first is attention_tensor.cu");

static boxed_way way_of(int index) {
  if (index >= TILE_WAYS) return (boxed_way){TILE_FORMS + index - TILE_WAYS, 0, false};
  return (boxed_way){index / 4, 1 + index % 2, index / 2 % 2};
}

/* Whether rows of what is read and written lie at multiples of 16 bytes. */
static bool rows_at_multiples(const long long *n) {
  for (int i = 13; i < 13 + 4 * (HONE_CUDA_STRIDED + 1); i++)
    if (n[i] % 8) return false;
  return n[5] % 8 == 0 && n[6] % 8 == 0 && n[3] > 0 && n[4] > 0 && n[3] < 1 << 24 && n[4] < 1 << 24;
}

static int64_t pieces(int64_t count, int64_t of) {
  return (count + of - 1) / of;
}

/* Of a row of 16-bit elements in boxes. */
static int64_t boxed_bytes(int64_t size) {
  return pieces(size, 64) * 128;
}

typedef struct problem {
  hone_dtype dtype;
  int64_t batch, heads; /* heads of all the batch */
} problem;

/* Sets what the way needs of a launch whose sizes stand in its args; false where it is none for them. */
static bool set_tiles(const boxed_way *way, const problem *p, hone_cuda_launch *launch) {
  long long *n = launch->args.n;
  int64_t keys = forms[way->form].keys, tiles = pieces(n[4], keys);
  int64_t queries = pieces(n[3], TENSOR_QUERIES);
  n[29] = way->whole_heads && tiles <= 2 ? pieces(queries, way->groups) : 1;
  n[30] = tiles < 2 ? tiles : 2;
  int64_t bytes = n[30] * keys * (boxed_bytes(n[5]) + boxed_bytes(n[6])) +
                  n[29] * way->groups * TENSOR_QUERIES * boxed_bytes(n[5]) + 1024;
  bool same = way->whole_heads && n[29] == 1; /* as the way that does not say so */
  if (bytes > MOST_SHARED || same || way->groups > queries) return false;
  launch->threads = (unsigned)(way->groups * TENSOR_THREADS);
  launch->shared = (unsigned)bytes;
  set_queries(launch, p->heads, n[29] * way->groups * TENSOR_QUERIES);
  return true;
}

#define NARROW_QUERIES 16
#define NARROW_KEYS    256  /* of all warps at a time */
#define NARROW_BLOCKS  4096 /* beyond, it takes too long that every block reads its head's keys */

static bool set_keys(int64_t keys, const problem *p, hone_cuda_launch *launch) {
  const long long *n = launch->args.n;
  int64_t element = (int64_t)hone_dtype_bits(p->dtype) / 8;
  int64_t warps = pieces(n[4] < NARROW_KEYS ? n[4] : NARROW_KEYS, keys);
  int64_t padded = n[6] <= 32 ? 32 : n[6] <= 64 ? 64 : 128;
  int64_t values = keys * padded * element, sums = NARROW_QUERIES * (pieces(n[6], 16) * 16 + 8) * 4;
  launch->threads = (unsigned)(32 * warps);
  launch->shared = (unsigned)(warps * ((values > sums ? values : sums) + NARROW_QUERIES * 8) + 1024);
  set_queries(launch, p->heads, NARROW_QUERIES);
  return n[0] <= NARROW_BLOCKS;
}

static bool set_narrow(const boxed_way *way, const problem *p, hone_cuda_launch *launch) {
  return set_keys(forms[way->form].keys, p, launch);
}

/* Boxes of `rows` rows of q, k or v; false where the copy engine cannot bring them. */
static bool set_rows(const problem *p, hone_cuda_launch *launch, int operand, uint32_t rows) {
  const long long *n = launch->args.n, *place = n + 13 + 4 * operand;
  hone_cuda_boxes *b = &launch->boxes[operand];
  *b = (hone_cuda_boxes){.dtype = p->dtype, .rank = 4, .box = {64, rows, 1, 1}, .steps = {1, 1, 1, 1}};
  const long long sizes[] = {operand < V ? n[5] : n[6], operand ? n[4] : n[3],
                             operand ? n[2] : n[1], p->batch};
  for (int d = 0; d < 4; d++) b->sizes[d] = (uint64_t)sizes[d];
  for (int d = 0; d < 3; d++) {
    long long step = sizes[1 + d] > 1 ? place[3 - d] : 8;
    if (step <= 0 || step >= 1ll << 38) return false;
    b->strides[d] = 2 * (uint64_t)step;
  }
  b->at = 2 * (uint64_t)place[0];
  return place[0] >= 0 && p->heads < INT32_MAX;
}

static bool set_heads(const boxed_way *way, const problem *p, hone_cuda_launch *launch) {
  long long *n = launch->args.n;
  int64_t keys = forms[way->form].keys, queries = pieces(n[3], TENSOR_QUERIES);
  int64_t bytes = keys * (boxed_bytes(n[5]) + boxed_bytes(n[6])) +
                  queries * TENSOR_QUERIES * boxed_bytes(n[5]);
  if (n[4] > keys || 2 * bytes + 1024 + 64 > MOST_SHARED) return false;
  for (int i = Q; i <= V; i++)
    if (!set_rows(p, launch, i, i == Q ? TENSOR_QUERIES : (uint32_t)keys)) return false;
  n[0] = p->heads;
  n[29] = queries;
  hone_cuda_launch_blocks(launch, p->heads < WAVE ? p->heads : WAVE);
  launch->threads = 4 * TENSOR_THREADS;
  launch->shared = (unsigned)(2 * bytes + 1024 + 64);
  return true;
}

static bool set_way(const boxed_way *way, const problem *p, hone_cuda_launch *launch) {
  static bool (*const set[])(const boxed_way *, const problem *, hone_cuda_launch *) = {
      [BY_TILES] = set_tiles, [NARROW] = set_narrow, [BY_HEADS] = set_heads};
  return set[forms[way->form].kind](way, p, launch);
}

/* The fewest keys beyond those that are there, then the larger tile; blocks that fill a GPU. */
static boxed_way best_tiles(const long long *n, int64_t heads) {
  int64_t tiles = pieces(n[3], TENSOR_QUERIES), least = INT64_MAX;
  boxed_way best = {0};
  for (int form = 0; form < TILE_FORMS; form++) {
    int64_t keys = pieces(n[4], forms[form].keys) * forms[form].keys;
    if (keys > least) continue;
    least = keys;
    best.form = form;
  }
  best.groups = tiles > 1 && heads * ((tiles + 1) / 2) >= ENOUGH_BLOCKS / 2 ? 2 : 1;
  best.whole_heads = heads >= ENOUGH_BLOCKS;
  return best;
}

/* Whether heads with their queries are so few that a block should take 16 of these. */
static bool are_few(const problem *p, const long long *n) {
  return p->heads * pieces(n[3], NARROW_QUERIES) <= ENOUGH_BLOCKS;
}

/* The first that can be, of those that seem best. */
static bool set_best(const problem *p, hone_cuda_launch *launch, boxed_way *way) {
  const long long *n = launch->args.n;
  enum { SHORT_NARROW = TILE_WAYS, LONG_NARROW, SHORT_HEADS, LONG_HEADS };
  boxed_way tiles = best_tiles(n, p->heads), less = tiles;
  less.whole_heads = false;
  boxed_way ways[] = {way_of(n[4] > 128 ? LONG_NARROW : SHORT_NARROW), way_of(SHORT_HEADS),
                      way_of(LONG_HEADS), tiles, less};
  for (int i = are_few(p, n) ? 0 : p->heads < WAVE ? 3 : 1; i < 5; i++) {
    *way = ways[i];
    if (set_way(way, p, launch)) return true;
  }
  return false;
}

/* The launch by wgmma or in small pieces beside `whole`. */
static hone_status *launch_boxed(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                 const problem *p, hone_cuda_launch *whole) {
  hone_cuda_launch *boxed = hone_arena_copy(plan->arena, whole, sizeof *whole);
  HONE_TRY_MEMORY(boxed);
  boxed_way way = way_of(stage->variant > 1 ? stage->variant - 2 : 0);
  bool set = stage->variant ? set_way(&way, p, boxed) : set_best(p, boxed, &way);
  if (!set && stage->variant) return hone_error(HONE_UNSUPPORTED, "a way that is not worth a trial");
  if (!set) return NULL;
  boxed->function = stage->functions[1 + way.form];
  whole->boxed = boxed;
  return NULL;
}

static problem problem_of(const hone_cuda_stage *stage, const hone_cuda_plan *plan) {
  const hone_value *q = stage->core->inputs[Q].value;
  const hone_shape *shape = hone_cuda_shape(plan, q);
  return (problem){q->type.dtype, shape->dim[0], shape->dim[0] * shape->dim[1]};
}

/* A launch of attention_tensor.cu. */
static hone_status *launch_tensor(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                  hone_cuda_launch **out) {
  HONE_TRY(make_launch(stage, plan, TENSOR_QUERIES, out));
  (*out)->threads = TENSOR_THREADS;
  put_strides(stage, plan, *out);
  return NULL;
}

static hone_status *plan_tensor(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(launch_tensor(stage, plan, &launch));
  bool possible = stage->functions[1] && rows_at_multiples(launch->args.n);
  if (stage->variant && !possible)
    return hone_error(HONE_UNSUPPORTED, "attention that tensor cores of this GPU cannot take so");
  if (!possible || stage->variant == 1) return NULL;
  problem p = problem_of(stage, plan);
  return launch_boxed(stage, plan, &p, launch);
}

const hone_cuda_kernel hone_cuda_kernel_attention_f16 = {.name = "attention_f16",
                                                         .candidate = "cuda.attention_f16",
                                                         .variants = HONE_CUDA_ATTENTION_VARIANTS,
                                                         .forms = TENSOR_FORMS,
                                                         .on_tensor_cores = true,
                                                         .strided = true,
                                                         .pointers = 4,
                                                         .finishes = true,
                                                         .widely = true,
                                                         .accepts = accepts_attention_f16,
                                                         .define = define_attention_tensor,
                                                         .plan = plan_tensor};

const hone_cuda_kernel hone_cuda_kernel_attention_bf16 = {.name = "attention_bf16",
                                                          .candidate = "cuda.attention_bf16",
                                                          .variants = HONE_CUDA_ATTENTION_VARIANTS,
                                                          .forms = TENSOR_FORMS,
                                                          .least_sm = 80,
                                                          .on_tensor_cores = true,
                                                          .strided = true,
                                                          .pointers = 4,
                                                          .finishes = true,
                                                          .widely = true,
                                                          .accepts = accepts_attention_bf16,
                                                          .define = define_attention_tensor,
                                                          .plan = plan_tensor};

/* f32 on tensor cores: rows are twice as long, so that half as many keys fit. */
#define TF32_KEYS 32
#define TF32_FORM(file, boxed)                                                                     \
  {hone_cuda_text_attention_##file, "#define KEYS 32\n", boxed, BY_WARPS, boxed}
enum { EITHER, WHOLE, IN_PIECES }; /* variants: as are_few says, attention_tensor.cu, _narrow.cu */

static hone_status *plan_tf32(const hone_cuda_stage *stage, const hone_group_view *view,
                              hone_cuda_plan *plan) {
  hone_cuda_launch *launch, *narrow;
  problem p = problem_of(stage, plan);
  (void)view;
  HONE_TRY(launch_tensor(stage, plan, &launch));
  bool possible = stage->functions[1] && rows_at_multiples(launch->args.n);
  bool wanted = stage->variant == IN_PIECES || (stage->variant == EITHER && are_few(&p, launch->args.n));
  if (!possible && wanted && stage->variant)
    return hone_error(HONE_UNSUPPORTED, "attention that this GPU cannot take in pieces");
  if (!possible || !wanted) return NULL;
  narrow = hone_arena_copy(plan->arena, launch, sizeof *launch);
  HONE_TRY_MEMORY(narrow);
  if (!set_keys(TF32_KEYS, &p, narrow))
    return stage->variant ? hone_error(HONE_UNSUPPORTED, "a way that is not worth a trial") : NULL;
  narrow->function = stage->functions[1];
  launch->boxed = narrow;
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_attention_tf32 = {
    .name = "attention_tf32",
    .candidate = "cuda.attention_tf32",
    .variants = IN_PIECES,
    .forms = {TF32_FORM(tensor, false), TF32_FORM(narrow, true)},
    .least_sm = 80,
    .on_tensor_cores = true,
    .strided = true,
    .pointers = 4,
    .finishes = true,
    .widely = true,
    .accepts = accepts_attention_tf32,
    .define = define_attention_tensor,
    .plan = plan_tf32};

const hone_cuda_kernel hone_cuda_kernel_attention_tiles = {.name = "attention_tiles",
                                                           .forms = {{hone_cuda_text_attention_tiles}},
                                                           .pointers = 4,
                                                           .finishes = true,
                                                           .accepts = accepts_tiles,
                                                           .define = define_tiles,
                                                           .plan = plan_tiles};

const hone_cuda_kernel hone_cuda_kernel_attention = {.name = "attention",
                                                     .forms = {{hone_cuda_text_attention}},
                                                     .pointers = 4,
                                                     .finishes = true,
                                                     .accepts = hone_cuda_is_attention,
                                                     .define = define_attention,
                                                     .plan = plan_attention};
