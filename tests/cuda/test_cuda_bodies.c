/* Bodies on the GPU against their references: on the stand-in in every test run, on a real one in
 * `make test-gpu`, there in parts: `test_cuda_bodies 2 4` is the second of four; `test_cuda_bodies lstm`
 * takes the bodies with that word. */
#include <stdbool.h>
#include <stdlib.h>

#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"
#include "bodies.h"

static const char *only; /* of the bodies those whose text has it; NULL: all */
static size_t part, parts = 1;
static size_t number; /* of the next body */

/* Whether the next body is of this part. */
static bool mine(void) {
  return number++ % parts == part;
}

/* Whether so many candidates took their sizes; a part may have those alone that do not. */
static bool has_tried(int taken, int least) {
  return parts > 1 || taken >= least;
}

TEST(bodies) {
  for (size_t i = 0; i < CUDA_BODIES; i++) {
    if (!mine()) continue;
    const char *precision = cuda_bodies[i].precision;
    if (only && !strstr(cuda_bodies[i].text, only)) continue;
    check_cuda_body(cuda_bodies[i].text, precision ? bound("on a GPU", precision) : 0);
  }
}

/* Every row of pointwise.def over the classes that it takes, eight of them in one body. */
static void check_class(hone_dtype_class klass, const char *dtype, double tolerance) {
  size_t count, at = 0;
  const hone_op *const *ops = hone_op_list(&count);
  while (at < count) {
    char outputs[64] = "", nodes[1600] = "", text[2000];
    int least, most, taken = 0;
    for (; at < count && taken < 8; at++) {
      const hone_pointwise_meaning *meaning = hone_pointwise_meaning_of(ops[at]);
      if (!meaning || !(meaning->classes >> klass & 1)) continue;
      hone_op_arity(ops[at]->inputs, &least, &most);
      snprintf(outputs + strlen(outputs), sizeof outputs - strlen(outputs), "%so%d",
               taken ? ", " : "", taken);
      snprintf(nodes + strlen(nodes), sizeof nodes - strlen(nodes), " o%d = %s(%s)\n", taken++,
               ops[at]->name,
               most == 1   ? "x"
               : most == 2 ? "x, y"
                           : "x, y, z");
    }
    if (taken == 0) return;
    snprintf(text, sizeof text, "graph g(x: %s[3, 17], y: %s[3, 17], z: %s[17]) -> (%s) {\n%s}",
             dtype, dtype, dtype, outputs, nodes);
    if (mine()) check_cuda_body(text, tolerance);
  }
}

TEST(every_pointwise_op) {
  check_class(HONE_CLASS_FLOAT, "f32", bound("pointwise on a GPU", "fp32"));
  check_class(HONE_CLASS_SIGNED, "s32", 0);
  check_class(HONE_CLASS_UNSIGNED, "u8", 0);
  check_class(HONE_CLASS_BOOLEAN, "bool", 0);
}

/* Tiles by boxes, in one part of the depth and in several: windows over borders, steps, dilations,
 * channels and columns that no box ends at, both layouts on the right. */
static const struct {
  const char *name, *precision, *text;
} boxed[] = {
    {"cuda.conv_f16", "f16", "graph g(x: f16[2, 9, 7, 72], r: f16[2, 5, 4, 24]) -> (o) {\n"
     " w = const f16[3, 3, 72, 24] @weights+80000\n b = const f16[24] @weights+80064\n"
     " y = conv(x, w, b) {pads=[1, 1, 1, 1], strides=[2, 2]}\n z = add(y, r)\n o = relu(z)\n}"},
    {"cuda.conv_f16", "f16", "graph g(x: f16[1, 13, 12, 8]) -> (o) {\n"
     " w = const f16[2, 3, 8, 16] @weights+80000\n"
     " o = conv(x, w) {dilations=[2, 1], pads=[0, 2, 1, 0]}\n}"},
    {"cuda.conv_tensor", "bf16", "graph g(x: bf16[1, 9, 15, 80]) -> (o) {\n"
     " w = const bf16[1, 1, 80, 136] @weights+112768\n o = conv(x, w)\n}"},
    {"cuda.conv_f16", "f16", "graph g(x: f16[2, 4, 48, 3]) -> (o) {\n"
     " w = const f16[2, 24, 3, 16] @weights+80000\n o = conv(x, w) {strides=[2, 24]}\n}"},
    {"cuda.matmul_f16", "f16", "graph g(a: f16[70, 200], b: f16[200, 264], c: f16[264]) -> (o) {\n"
     " y = matmul(a, b, c) {alpha=0.5}\n o = gelu(y)\n}"},
    {"cuda.matmul_f16", "f16", "graph g(a: f16[3, 70, 200], b: f16[72, 200]) -> (o) {\n"
     " o = matmul(a, b) {transpose_b=true}\n}"},
    /* a row of zeros before each picture's, as a class token stands there */
    {"cuda.conv_f16", "f16", "graph g(a: f16[2, 52, 1, 200]) -> (o) {\n"
     " w = const f16[1, 1, 200, 72] @weights+80000\n"
     " p = const f16[1, 53, 1, 72] @weights+80064\n"
     " y = conv(a, w) {pads=[1, 0, 0, 0]}\n o = add(y, p)\n}"},
    /* more steps than twice the stages of any tile */
    {"cuda.matmul_f16", "f16", "graph g(a: f16[7, 1800], b: f16[1800, 8]) -> (o) { o = matmul(a, b) }"},
};

TEST(every_tile_of_boxes) {
  int sm = 0, taken = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm == 90 && i < sizeof boxed / sizeof *boxed; i++)
    for (int tile = 0; tile < HONE_CUDA_BOXED_TILES; tile++)
      for (int cut = 0; cut < 3; cut++) {
        int all = HONE_CUDA_BOXED_FORM + HONE_CUDA_BOXED_TILES;
        if (!mine()) continue;
        hone_candidate one = {boxed[i].name, 1 + HONE_CUDA_BOXED_FORM + tile + all * cut, 0, NULL};
        taken += check_cuda_candidate(boxed[i].text, bound("on a GPU", boxed[i].precision), &one);
      }
  printf("%d products of boxes\n", taken);
  CHECK(sm != 90 || has_tried(taken, 40));
}

/* Tiles of few rows: one tile and several of each height, all numbers of parts, rows and columns that
 * no tile ends at, both layouts on the right, what is read to finish. */
static const struct {
  const char *precision, *text;
} few[] = {
    {"f16", "graph g(a: f16[1, 107, 200], r: f16[1, 107, 72]) -> (o) {\n"
     " w = const f16[200, 72] @weights+80000\n c = const f16[72] @weights+80064\n"
     " y = matmul(a, w, c)\n z = add(y, r)\n o = relu(z)\n}"},
    {"f16", "graph g(a: f16[38, 640]) -> (o) {\n w = const f16[24, 640] @weights+80000\n"
     " o = matmul(a, w) {transpose_b=true, alpha=0.5}\n}"},
    {"bf16", "graph g(a: bf16[2, 41, 384]) -> (o) {\n w = const bf16[384, 40] @weights+112768\n"
     " o = matmul(a, w)\n}"},
    {"f16", "graph g(a: f16[45, 1000]) -> (o) {\n w = const f16[1000, 16] @weights+80000\n"
     " o = matmul(a, w)\n}"},
    {"bf16", "graph g(a: bf16[37, 120], r: bf16[37, 136]) -> (o) {\n"
     " w = const bf16[120, 136] @weights+112768\n y = matmul(a, w)\n o = add(y, r)\n}"},
};

TEST(every_tile_of_few_rows) {
  int sm = 0, taken = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm == 90 && i < sizeof few / sizeof *few; i++)
    for (int variant = 1; variant <= HONE_CUDA_FEW_VARIANTS; variant++) {
      if (!mine()) continue;
      hone_candidate one = {"cuda.matmul_few", variant, 0, NULL};
      taken += check_cuda_candidate(few[i].text, bound("on a GPU", few[i].precision), &one);
    }
  printf("%d products of few rows\n", taken);
  CHECK(sm != 90 || has_tried(taken, 120));
}

/* The same in clusters of blocks: those of the tiles whose parts the steps fill. */
TEST(every_tile_that_joins) {
  int sm = 0, taken = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm == 90 && i < sizeof few / sizeof *few; i++)
    for (int variant = 1; variant <= HONE_CUDA_JOINED_TILES; variant++) {
      if (!mine()) continue;
      hone_candidate one = {"cuda.matmul_joined", variant, 0, NULL};
      taken += check_cuda_candidate(few[i].text, bound("on a GPU", few[i].precision), &one);
    }
  printf("%d products of few rows in clusters\n", taken);
  CHECK(sm != 90 || has_tried(taken, 20));
}

static bool is_offered(const char *text, const char *name) {
  hone_candidate all[192];
  hone_graph *graph = NULL;
  bool offered = false;
  CHECK_OK(hone_graph_parse(text, strlen(text), hone_op_find, body_weights, &graph));
  size_t count = graph ? hone_backend_cuda.candidates(graph, all, 192) : 0;
  for (size_t c = 0; c < count && c < 192; c++) offered = offered || strcmp(all[c].name, name) == 0;
  hone_graph_free(graph);
  return offered;
}

/* Products of up to eight rows without tiles, by all shapes of blocks: with `%s` an element type, `%d`
 * rows and `+%d` where its weights lie. Columns and depths of whole pieces and odd ones, below a block
 * and of several turns, what is read to finish, memory at no multiple of 16 bytes. */
static const char *const vectors[] = {
    "graph g(a: %s[%d, 400], r: %s[%d, 40]) -> (o) {\n w = const %s[400, 40] @weights+%d\n"
    " c = const %s[40] @weights+%d\n y = matmul(a, w, c)\n z = add(y, r)\n o = relu(z)\n}",
    "graph g(a: %s[%d, 2300], r: %s[1, 7]) -> (o) {\n w = const %s[2300, 7] @weights+%d\n"
    " c = const %s[7] @weights+%d\n y = matmul(a, w, c) {alpha=0.5}\n o = mul(y, r)\n}",
    "graph g(a: %s[%d, 203], r: %s[%d, 72]) -> (o) {\n w = const %s[203, 72] @weights+%d\n"
    " y = matmul(a, w)\n o = add(y, r)\n}",
    "graph g(a: %s[%d, 5], r: %s[%d, 3]) -> (o) {\n w = const %s[5, 3] @weights+%d\n"
    " y = matmul(a, w)\n o = add(y, r)\n}",
    "graph g(a: %s[%d, 2296], r: %s[%d, 7]) -> (o) {\n w = const %s[7, 2296] @weights+%d\n"
    " y = matmul(a, w) {transpose_b=true}\n o = add(y, r)\n}",
    "graph g(a: %s[%d, 600], r: %s[%d, 24]) -> (o) {\n w = const %s[24, 600] @weights+%d\n"
    " y = matmul(a, w) {transpose_b=true, alpha=2}\n o = mul(y, r)\n}",
    "graph g(a: %s[%d, 99], r: %s[%d, 75]) -> (o) {\n w = const %s[75, 99] @weights+%d\n"
    " y = matmul(a, w) {transpose_b=true}\n o = add(y, r)\n}",
    "graph g(x: %s[%d, 1, 1, 120], r: %s[%d, 1, 1, 96]) -> (o) {\n"
    " w = const %s[1, 1, 120, 96] @weights+%d\n y = conv(x, w)\n s = sigmoid(y)\n o = mul(s, r)\n}",
};

/* One row of the table of an element type and so many rows. */
static void put_vector(size_t index, const char *dtype, int rows, int at, char *out, size_t room) {
  const char *text = vectors[index];
  size_t used = 0;
  for (; *text && used + 24 < room; text++) {
    const char *more = NULL;
    char digits[16];
    snprintf(digits, sizeof digits, "%d", text > vectors[index] && text[-1] == '+' ? at : rows);
    if (text[0] == '%') more = *++text == 's' ? dtype : digits;
    used += (size_t)snprintf(out + used, room - used, "%.*s", more ? 16 : 1, more ? more : text);
  }
}

TEST(every_product_of_vectors) {
  static const struct { const char *dtype, *precision; int at; } types[] = {
      {"f16", "f16", 80000}, {"bf16", "bf16", 112768}, {"f32", "fp32", 0}};
  static const int rows[] = {1, 2, 3, 4, 5, 6, 7, 8};
  int taken = 0;
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
      for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int variant = 1; variant <= HONE_CUDA_VECTOR_SHAPES; variant++) {
          char text[600];
          if (!mine() || (t < 2 && i % 2 != t)) continue; /* 16 bits take one text in turn */
          put_vector(i, types[t].dtype, rows[r], types[t].at, text, sizeof text);
          hone_candidate one = {"cuda.matmul_vector", variant, 0, NULL};
          cuda_shift = (i + r) % 3 == 1 ? 4 : 0;
          taken += check_cuda_candidate(text, bound("on a GPU", types[t].precision), &one);
        }
  cuda_shift = 0;
  printf("%d products of vectors\n", taken);
  CHECK(has_tried(taken, 350));
}

/* What stays without: more rows, what is no constant, or one for each batch, other orders on the left,
 * other types, windows, groups. */
static const char *const no_vectors[] = {
    "graph g(a: f16[9, 8]) -> (o) {\n w = const f16[8, 16] @weights+80000\n o = matmul(a, w)\n}",
    "graph g(a: f32[3, 3, 8]) -> (o) {\n w = const f32[8, 16] @weights+0\n o = matmul(a, w)\n}",
    "graph g(a: f16[1, 8], w: f16[8, 16]) -> (o) { o = matmul(a, w) }",
    "graph g(a: f32[2, 1, 8]) -> (o) {\n w = const f32[2, 8, 16] @weights+0\n o = matmul(a, w)\n}",
    "graph g(a: f32[1, 8]) -> (o) {\n w = const f32[8] @weights+0\n o = matmul(a, w)\n}",
    "graph g(a: f32[8, 1]) -> (o) {\n w = const f32[8, 16] @weights+0\n"
    " o = matmul(a, w) {transpose_a=true}\n}",
    "graph g(a: f64[1, 8]) -> (o) {\n w = const f64[8, 16] @weights+0\n o = matmul(a, w)\n}",
    "graph g(x: f32[1, 3, 1, 8]) -> (o) {\n w = const f32[2, 1, 8, 16] @weights+0\n o = conv(x, w)\n}",
    "graph g(x: f32[1, 3, 3, 8]) -> (o) {\n w = const f32[1, 1, 8, 16] @weights+0\n o = conv(x, w)\n}",
    "graph g(x: f32[1, 1, 1, 8]) -> (o) {\n w = const f32[1, 1, 4, 16] @weights+0\n"
    " o = conv(x, w) {groups=2}\n}",
};

TEST(what_is_no_product_of_vectors) {
  for (size_t i = 0; i < sizeof no_vectors / sizeof *no_vectors; i++)
    CHECK(!is_offered(no_vectors[i], "cuda.matmul_vector"));
  CHECK(is_offered("graph g(a: f32[8]) -> (o) {\n w = const f32[8, 16] @weights+0\n"
                   " o = matmul(a, w)\n}", "cuda.matmul_vector"));
}

/* Tiles of f32 as TF32, whole and in several parts of the depth: windows over borders, steps,
 * dilations, windows side by side, rows, channels and columns that no box ends at, both layouts on the
 * right, what is read to finish; few rows and many. */
static const struct {
  const char *name, *text;
} tf32s[] = {
    {"cuda.conv_tf32", "graph g(x: f32[2, 9, 7, 36], r: f32[2, 5, 4, 24]) -> (o) {\n"
     " w = const f32[3, 3, 36, 24] @weights+0\n b = const f32[24] @weights+64\n"
     " y = conv(x, w, b) {pads=[1, 1, 1, 1], strides=[2, 2], tf32=true}\n z = add(y, r)\n"
     " o = relu(z)\n}"},
    {"cuda.conv_tf32", "graph g(x: f32[1, 13, 12, 4]) -> (o) {\n"
     " w = const f32[2, 3, 4, 16] @weights+0\n"
     " o = conv(x, w) {dilations=[2, 1], pads=[0, 2, 1, 0], tf32=true}\n}"},
    {"cuda.conv_tf32", "graph g(x: f32[1, 9, 15, 40]) -> (o) {\n"
     " w = const f32[1, 1, 40, 136] @weights+0\n o = conv(x, w) {tf32=true}\n}"},
    {"cuda.conv_tf32", "graph g(x: f32[1, 15, 18, 72]) -> (o) {\n"
     " w = const f32[1, 1, 72, 264] @weights+0\n b = const f32[264] @weights+64\n"
     " y = conv(x, w, b) {strides=[2, 1], tf32=true}\n o = relu(y)\n}"},
    {"cuda.conv_tf32", "graph g(x: f32[2, 4, 12, 8]) -> (o) {\n w = const f32[2, 2, 8, 24] @weights+0\n"
     " o = conv(x, w) {strides=[2, 2], tf32=true}\n}"},
    {"cuda.matmul_tf32", "graph g(a: f32[3, 70, 100]) -> (o) {\n w = const f32[72, 100] @weights+0\n"
     " o = matmul(a, w) {transpose_b=true, tf32=true}\n}"},
    {"cuda.matmul_tf32", "graph g(a: f32[9, 1028], r: f32[9, 16]) -> (o) {\n"
     " w = const f32[1028, 16] @weights+0\n c = const f32[16] @weights+64\n"
     " y = matmul(a, w, c) {alpha=0.5, tf32=true}\n z = add(y, r)\n o = gelu(z)\n}"},
    /* one constant in two orders */
    {"cuda.matmul_tf32", "graph g(a: f32[5, 40], b: f32[5, 16]) -> (o, p) {\n"
     " w = const f32[40, 16] @weights+0\n o = matmul(a, w) {tf32=true}\n"
     " p = matmul(b, w) {transpose_b=true, tf32=true}\n}"},
};

TEST(every_tile_of_tf32) {
  int sm = 0, taken = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm == 90 && i < sizeof tf32s / sizeof *tf32s; i++)
    for (int variant = 1; variant <= HONE_CUDA_TF32_VARIANTS; variant++) {
      if (!mine()) continue;
      hone_candidate one = {tf32s[i].name, variant, 0, NULL};
      taken += check_cuda_candidate(tf32s[i].text, bound("on a GPU", "tf32"), &one);
    }
  printf("%d products of f32 as TF32\n", taken);
  CHECK(sm != 90 || has_tried(taken, 120));
}

#define FILTERS " w = const f32[3, 3, 8, 16] @weights+0\n"
/* What stays without: f32 that is not to be rounded, what is no constant, rows at no multiple of 16
 * bytes, columns of no eights, groups, other orders on the left, other types. */
static const char *const no_tf32[] = {
    "graph g(x: f32[1, 6, 6, 8]) -> (o) {\n" FILTERS " o = conv(x, w)\n}",
    "graph g(x: f32[1, 6, 6, 8], w: f32[3, 3, 8, 16]) -> (o) { o = conv(x, w) {tf32=true} }",
    "graph g(x: f32[1, 6, 6, 6]) -> (o) {\n w = const f32[3, 3, 6, 16] @weights+0\n"
    " o = conv(x, w) {tf32=true}\n}",
    "graph g(x: f32[1, 6, 6, 3]) -> (o) {\n w = const f32[3, 3, 3, 16] @weights+0\n"
    " o = conv(x, w) {tf32=true}\n}",
    "graph g(x: f32[1, 6, 6, 8]) -> (o) {\n w = const f32[3, 3, 8, 12] @weights+0\n"
    " o = conv(x, w) {tf32=true}\n}",
    "graph g(x: f32[1, 6, 6, 16]) -> (o) {\n" FILTERS " o = conv(x, w) {groups=2, tf32=true}\n}",
    "graph g(x: f16[1, 6, 6, 8]) -> (o) {\n w = const f16[3, 3, 8, 16] @weights+80000\n"
    " o = conv(x, w)\n}",
    "graph g(a: f32[5, 8]) -> (o) {\n w = const f32[8, 16] @weights+0\n o = matmul(a, w)\n}",
    "graph g(a: f32[5, 8], w: f32[8, 16]) -> (o) { o = matmul(a, w) {tf32=true} }",
    "graph g(a: f32[8, 5]) -> (o) {\n w = const f32[8, 16] @weights+0\n"
    " o = matmul(a, w) {transpose_a=true, tf32=true}\n}",
    "graph g(a: f32[8]) -> (o) {\n w = const f32[8, 16] @weights+0\n o = matmul(a, w) {tf32=true}\n}",
    "graph g(a: f32[2, 5, 8]) -> (o) {\n w = const f32[2, 8, 16] @weights+0\n"
    " o = matmul(a, w) {tf32=true}\n}",
};

TEST(what_is_no_tf32) {
  for (size_t i = 0; i < sizeof no_tf32 / sizeof *no_tf32; i++) {
    CHECK(!is_offered(no_tf32[i], "cuda.conv_tf32"));
    CHECK(!is_offered(no_tf32[i], "cuda.matmul_tf32"));
  }
  static const int others[] = {75, 80, 89, 100, 120};
  for (size_t i = 0; i < sizeof tf32s / sizeof *tf32s; i++) {
    const hone_cuda_kernel *row = hone_cuda_kernel_named(tf32s[i].name);
    hone_graph *graph = NULL;
    CHECK_OK(hone_graph_parse(tf32s[i].text, strlen(tf32s[i].text), hone_op_find, body_weights, &graph));
    CHECK(graph && hone_cuda_kernel_takes(row, graph->first, 90));
    for (size_t o = 0; graph && o < sizeof others / sizeof *others; o++)
      CHECK(!hone_cuda_kernel_takes(row, graph->first, others[o]));
    hone_graph_free(graph);
  }
}

/* First layers of f32 as TF32, and what is none: f32 that is not to be rounded, filters that are no
 * constant or no eights of them, groups, dilated rows, more channels, windows beyond shared memory. */
static const struct {
  const char *text;
  bool taken;
} stems[] = {
    {"graph g(x: f32[1, 9, 9, 3]) -> (o) {\n w = const f32[7, 7, 3, 64] @weights+0\n"
     " o = conv(x, w) {strides=[2, 2], tf32=true}\n}", true},
    {"graph g(x: f32[1, 9, 9, 3]) -> (o) {\n w = const f32[3, 3, 3, 8] @weights+0\n"
     " o = conv(x, w) {tf32=true}\n}", true},
    {"graph g(x: f32[1, 9, 9, 3]) -> (o) {\n w = const f32[7, 7, 3, 64] @weights+0\n"
     " o = conv(x, w) {strides=[2, 2]}\n}", false},
    {"graph g(x: f32[1, 9, 9, 3], w: f32[3, 3, 3, 8]) -> (o) { o = conv(x, w) {tf32=true} }", false},
    {"graph g(x: f32[1, 9, 9, 3]) -> (o) {\n w = const f32[3, 3, 3, 12] @weights+0\n"
     " o = conv(x, w) {tf32=true}\n}", false},
    {"graph g(x: f32[1, 9, 9, 4]) -> (o) {\n w = const f32[3, 3, 2, 8] @weights+0\n"
     " o = conv(x, w) {groups=2, tf32=true}\n}", false},
    {"graph g(x: f32[1, 9, 9, 3]) -> (o) {\n w = const f32[3, 3, 3, 8] @weights+0\n"
     " o = conv(x, w) {dilations=[1, 2], tf32=true}\n}", false},
    {"graph g(x: f32[1, 9, 9, 12]) -> (o) {\n w = const f32[3, 3, 12, 8] @weights+0\n"
     " o = conv(x, w) {tf32=true}\n}", false},
    {"graph g(x: f32[1, 20, 20, 4]) -> (o) {\n w = const f32[16, 14, 4, 8] @weights+0\n"
     " o = conv(x, w) {tf32=true}\n}", false},
};

TEST(what_is_a_first_layer_of_tf32) {
  const hone_cuda_kernel *row = &hone_cuda_kernel_conv_stem_tf32;
  for (size_t i = 0; i < sizeof stems / sizeof *stems; i++) {
    const char *text = stems[i].text;
    hone_graph *graph = NULL;
    CHECK_OK(hone_graph_parse(text, strlen(text), hone_op_find, body_weights, &graph));
    CHECK(graph && hone_cuda_kernel_takes(row, graph->first, 80) == stems[i].taken);
    CHECK(graph && !hone_cuda_kernel_takes(row, graph->first, 75));
    hone_graph_free(graph);
  }
}

/* Norms that products take in: rows far from 0, one step of the depth and several, an odd number of
 * them; and those that stand for themselves: odd depths, scales, other readers. */
static const struct {
  const char *name, *precision, *text;
  bool taken;
} normed[] = {
    {"cuda.matmul_normed", "f16",
     "graph g(x: f16[1, 107, 192], r: f16[1, 107, 72]) -> (o) {\n"
     " w = const f16[192, 72] @weights+80000\n c = const f16[72] @weights+80064\n"
     " n = layer_norm(x)\n y = matmul(n, w, c)\n z = add(y, r)\n o = relu(z)\n}", true},
    {"cuda.matmul_normed", "f16",
     "graph g(x: f16[2, 19, 64]) -> (o) {\n w = const f16[136, 64] @weights+80000\n"
     " l = const f16[] 30\n f = const f16[] 0.5\n s = mul(x, f)\n t = add(s, l)\n"
     " n = layer_norm(t) {epsilon=0.001}\n o = matmul(n, w) {transpose_b=true, alpha=0.5}\n}", true},
    {"cuda.matmul_normed", "bf16",
     "graph g(x: bf16[41, 256]) -> (o) {\n w = const bf16[256, 40] @weights+112768\n"
     " n = rms_norm(x)\n o = matmul(n, w)\n}", true},
    {"cuda.matmul_normed", "f16",
     "graph g(x: f16[41, 72]) -> (o) {\n w = const f16[72, 40] @weights+80000\n"
     " n = layer_norm(x)\n o = matmul(n, w)\n}", false},
    {"cuda.matmul_normed", "f16",
     "graph g(x: f16[41, 64]) -> (o) {\n w = const f16[64, 40] @weights+80000\n"
     " s = const f16[64] @weights+80064\n n = rms_norm(x, s)\n o = matmul(n, w)\n}", false},
    {"cuda.matmul_normed", "f16",
     "graph g(x: f16[41, 64]) -> (o) {\n w = const f16[64, 64] @weights+80000\n"
     " n = layer_norm(x)\n y = matmul(n, w)\n o = add(y, n)\n}", false},
};

TEST(every_norm_of_a_product) {
  int sm = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm == 90 && i < sizeof normed / sizeof *normed; i++) {
    CHECK(is_offered(normed[i].text, normed[i].name) == normed[i].taken);
    for (int variant = 1; variant <= HONE_CUDA_NORMED_TILES && normed[i].taken; variant++) {
      if (!mine()) continue;
      hone_candidate one = {normed[i].name, variant, 0, NULL};
      CHECK(check_cuda_candidate(normed[i].text, bound("on a GPU", normed[i].precision), &one));
    }
  }
}

/* Convolutions of few elements: lanes from one to a whole warp, chunks of one channel to 16 bytes,
 * columns that end no four of them and that several blocks make, windows over borders, steps,
 * dilations, lines, more pixels than blocks; what is read to finish, by columns and else, several
 * results; memory at no multiple of 16. Variants that would cut alike are not offered twice. */
static const struct {
  const char *precision, *text;
  int taken; /* variants */
} smalls[] = {
    {"fp32", "graph g(x: f32[1, 28, 28, 1]) -> (o) {\n w = const f32[5, 5, 1, 8] @weights+0\n"
     " b = const f32[8] @weights+800\n y = conv(x, w, b) {pads=[2, 2, 2, 2]}\n o = relu(y)\n}", 3},
    {"fp32", "graph g(x: f32[2, 14, 14, 8], r: f32[2, 14, 14, 16], s: f32[2, 1, 1, 16]) "
     "-> (y, o) {\n w = const f32[5, 5, 8, 16] @weights+0\n b = const f32[16] @weights+12800\n"
     " c = const f32[] 0.5\n k = const f32[1, 1, 16] @weights+16000\n"
     " y = conv(x, w, b) {padding=same_upper}\n z = add(y, r)\n u = mul(z, s)\n v = mul(u, k)\n"
     " o = add(v, c)\n}", 3},
    {"fp32", "graph g(x: f32[1, 7, 9, 3]) -> (o) {\n w = const f32[3, 2, 3, 5] @weights+0\n"
     " o = conv(x, w) {strides=[2, 1], dilations=[1, 2], pads=[0, 1, 2, 0]}\n}", 3},
    {"f16", "graph g(x: f16[2, 9, 7, 16]) -> (o) {\n w = const f16[3, 3, 16, 24] @weights+80000\n"
     " k = const f16[24] @weights+90000\n y = conv(x, w) {pads=[1, 1, 1, 1], strides=[2, 2]}\n"
     " z = mul(y, k)\n o = silu(z)\n}", 3},
    {"bf16", "graph g(x: bf16[3, 11, 6], b: bf16[2]) -> (o) {\n"
     " w = const bf16[3, 6, 2] @weights+112768\n o = conv(x, w, b)\n}", 2},
    {"fp64", "graph g(x: f64[1, 5, 5, 1]) -> (o) {\n"
     " w = const f64[2, 2, 1, 1] [0.5, -1, 2, 0.25]\n o = conv(x, w)\n}", 1},
    {"fp32", "graph g(x: f32[1, 5, 6, 4]) -> (o) {\n w = const f32[3, 3, 4, 130] @weights+0\n"
     " y = conv(x, w) {pads=[1, 1, 1, 1]}\n o = tanh(y)\n}", 3},
    {"fp32", "graph g(x: f32[1, 33, 33, 1]) -> (o) {\n w = const f32[1, 1, 1, 1024] @weights+0\n"
     " o = conv(x, w)\n}", 1},
};

TEST(every_cut_of_small_convolutions) {
  static const size_t shifts[] = {0, 8};
  for (size_t i = 0; i < sizeof smalls / sizeof *smalls; i++) {
    if (!mine() || (only && !strstr(smalls[i].text, only))) continue;
    CHECK(is_offered(smalls[i].text, "cuda.conv_small"));
    for (size_t s = 0; s < 2; s++) {
      int taken = 0;
      cuda_shift = shifts[s];
      for (int variant = 1; variant <= 3; variant++) {
        hone_candidate one = {"cuda.conv_small", variant, 0, NULL};
        taken += check_cuda_candidate(smalls[i].text, bound("on a GPU", smalls[i].precision), &one);
      }
      CHECK(taken == smalls[i].taken);
    }
  }
  cuda_shift = 0;
}

/* The same with the pooling that reads them: windows apart and over each other, beyond borders, dilated,
 * cut by the end, of several blocks of columns; averages with pads and without; what a layer stores in
 * 16 bits is rounded first. More pixels than blocks; as many threads as a block has. */
static const struct {
  const char *precision, *text;
  int taken;
} pooled[] = {
    {"fp32", "graph g(x: f32[1, 28, 28, 1]) -> (o) {\n w = const f32[5, 5, 1, 8] @weights+0\n"
     " b = const f32[8] @weights+800\n y = conv(x, w, b) {pads=[2, 2, 2, 2]}\n z = relu(y)\n"
     " o = pool(z) {kind=max, window=[2, 2], strides=[2, 2]}\n}", 3},
    {"fp32", "graph g(x: f32[2, 14, 14, 8]) -> (o) {\n w = const f32[5, 5, 8, 16] @weights+0\n"
     " b = const f32[16] @weights+12800\n k = const f32[] 0.5\n y = conv(x, w, b) {pads=[2, 2, 2, 2]}\n"
     " z = mul(y, k)\n o = pool(z) {kind=max, window=[3, 3], strides=[3, 3]}\n}", 3},
    {"fp32", "graph g(x: f32[1, 7, 9, 3]) -> (o) {\n w = const f32[3, 2, 3, 5] @weights+0\n"
     " y = conv(x, w) {strides=[2, 1], dilations=[1, 2], pads=[0, 1, 2, 0]}\n"
     " o = pool(y) {kind=avg, window=[2, 3], pads=[1, 1, 0, 2], dilations=[1, 2], strides=[1, 2], "
     "ceil=true}\n}", 3},
    {"f16", "graph g(x: f16[2, 9, 7, 16]) -> (o) {\n w = const f16[3, 3, 16, 24] @weights+80000\n"
     " y = conv(x, w) {pads=[1, 1, 1, 1]}\n z = silu(y)\n"
     " o = pool(z) {kind=avg, window=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2], count_pads=true, "
     "ceil=true}\n}", 3},
    {"bf16", "graph g(x: bf16[3, 11, 6]) -> (o) {\n w = const bf16[3, 6, 2] @weights+112768\n"
     " y = conv(x, w)\n o = pool(y) {kind=max, window=[3], pads=[1, 1]}\n}", 2},
    {"fp64", "graph g(x: f64[1, 5, 5, 1]) -> (o) {\n"
     " w = const f64[2, 2, 1, 1] [0.5, -1, 2, 0.25]\n y = conv(x, w)\n"
     " o = pool(y) {kind=avg, window=[4, 4]}\n}", 1},
    {"fp32", "graph g(x: f32[1, 65, 66, 1]) -> (o) {\n w = const f32[1, 1, 1, 512] @weights+0\n"
     " y = conv(x, w)\n o = pool(y) {kind=max, window=[1, 2], strides=[1, 2]}\n}", 1},
    {"fp32", "graph g(x: f32[1, 8, 8, 32]) -> (o) {\n w = const f32[3, 3, 32, 8] @weights+0\n"
     " y = conv(x, w)\n o = pool(y) {kind=max, window=[4, 4]}\n}", 2},
};

TEST(every_cut_of_pooled_convolutions) {
  static const size_t shifts[] = {0, 8};
  for (size_t i = 0; i < sizeof pooled / sizeof *pooled; i++) {
    if (!mine() || (only && !strstr(pooled[i].text, only))) continue;
    CHECK(is_offered(pooled[i].text, "cuda.conv_pool"));
    for (size_t s = 0; s < 2; s++) {
      int taken = 0;
      cuda_shift = shifts[s];
      for (int variant = 1; variant <= 3; variant++) {
        hone_candidate one = {"cuda.conv_pool", variant, 0, NULL};
        taken += check_cuda_candidate(pooled[i].text, bound("on a GPU", pooled[i].precision), &one);
      }
      if (taken != pooled[i].taken) fprintf(stderr, "%d of %s\n", taken, pooled[i].text);
      CHECK(taken == pooled[i].taken);
    }
  }
  cuda_shift = 0;
}

/* What others read too, what is no constant of a column, large windows, what is no pooling of it. */
static const char *const no_pooled[] = {
    "graph g(x: f32[1, 6, 6, 8]) -> (o, y) {\n w = const f32[3, 3, 8, 16] @weights+0\n"
    " y = conv(x, w)\n o = pool(y) {kind=max, window=[2, 2]}\n}",
    "graph g(x: f32[1, 6, 6, 8], r: f32[1, 4, 4, 16]) -> (o) {\n"
    " w = const f32[3, 3, 8, 16] @weights+0\n y = conv(x, w)\n z = add(y, r)\n"
    " o = pool(z) {kind=max, window=[2, 2]}\n}",
    "graph g(x: f32[1, 9, 9, 8]) -> (o) {\n w = const f32[3, 3, 8, 16] @weights+0\n"
    " y = conv(x, w)\n o = pool(y) {kind=max, window=[5, 5]}\n}",
    "graph g(x: f32[1, 6, 6, 8]) -> (o) {\n w = const f32[3, 3, 8, 16] @weights+0\n"
    " y = conv(x, w)\n o = pool(y) {kind=max, window=[1, 1]}\n}",
    "graph g(x: f32[1, 6, 6, 8], w: f32[3, 3, 8, 16]) -> (o) {\n y = conv(x, w)\n"
    " o = pool(y) {kind=max, window=[2, 2]}\n}",
};

TEST(what_is_not_pooled) {
  for (size_t i = 0; i < sizeof no_pooled / sizeof *no_pooled; i++)
    CHECK(!is_offered(no_pooled[i], "cuda.conv_pool"));
}

/* Others take what is large, of filters that only a run knows, of groups, of sizes that a build does not
 * know, and of depths beyond a warp's registers. */
static const char *const no_small[] = {
    "graph g(x: f32[1, 200, 200, 8]) -> (o) {\n w = const f32[3, 3, 8, 16] @weights+0\n"
    " o = conv(x, w)\n}",
    "graph g(x: f32[1, 6, 6, 8], w: f32[3, 3, 8, 16]) -> (o) { o = conv(x, w) }",
    "graph g(x: f32[1, 6, 6, 8]) -> (o) {\n w = const f32[3, 3, 4, 16] @weights+0\n"
    " o = conv(x, w) {groups=2}\n}",
    "graph g(x: f32[1, h, 6, 8]) -> (o) {\n w = const f32[3, 3, 8, 16] @weights+0\n"
    " o = conv(x, w)\n}",
    "graph g(x: f32[1, 6, 6, 128]) -> (o) {\n w = const f32[3, 3, 128, 4] @weights+0\n"
    " o = conv(x, w)\n}",
};

TEST(what_is_no_small_convolution) {
  for (size_t i = 0; i < sizeof no_small / sizeof *no_small; i++)
    CHECK(!is_offered(no_small[i], "cuda.conv_small"));
}

/* Attention by groups of warps: lengths that no tile ends at, more keys than shared memory holds,
 * heads of one box and of two, masks, shared heads, joint projections. */
static const struct {
  const char *name, *precision, *text;
} attentions[] = {
    {"cuda.attention_f16", "f16", "graph g(q: f16[1, 2, 197, 64], k: f16[1, 1, 197, 64], v: f16[1, "
     "1, 197, 64]) -> (o) {\n y = attention(q, k, v)\n o = relu(y)\n}"},
    {"cuda.attention_f16", "f16", "graph g(q: f16[1, 2, 70, 24], k: f16[1, 2, 300, 24], v: f16[1, 2, "
     "300, 40]) -> (o) { o = attention(q, k, v) {scale=-0.5} }"},
    {"cuda.attention_f16", "f16", "graph g(q: f16[2, 1, 130, 16], k: f16[2, 1, 290, 16], v: f16[2, 1, "
     "290, 8]) -> (o) { o = attention(q, k, v) {causal=true} }"},
    {"cuda.attention_f16", "f16", "graph g(q: f16[2, 4, 70, 64], k: f16[2, 2, 150, 64], v: f16[2, 2, "
     "150, 64], m: f16[70, 150]) -> (o) { o = attention(q, k, v, m) }"},
    {"cuda.attention_f16", "f16", "graph g(q: f16[2, 2, 66, 32], k: f16[2, 2, 128, 32], v: f16[2, 2, "
     "128, 32], m: f16[2, 1, 1, 128]) -> (o) { o = attention(q, k, v, m) }"},
    {"cuda.attention_f16", "f16", "graph g(q: f16[1, 2, 70, 16], k: f16[1, 2, 66, 16], v: f16[1, 2, 66, "
     "16]) -> (o) {\n m = const f16[2, 1, 1] [-inf, 0.5]\n o = attention(q, k, v, m)\n}"},
    {"cuda.attention_bf16", "bf16", "graph g(q: bf16[1, 1, 20, 80], k: bf16[1, 1, 90, 80], v: "
     "bf16[1, 1, 90, 128], m: bool[1, 1, 20, 70]) -> (o) { o = attention(q, k, v, m) }"},
    {"cuda.attention_tf32", "tf32", "graph g(q: f32[1, 2, 197, 64], k: f32[1, 1, 197, 64], v: f32[1, "
     "1, 197, 64]) -> (o) {\n y = attention(q, k, v) {tf32=true}\n o = relu(y)\n}"},
    {"cuda.attention_tf32", "tf32", "graph g(q: f32[1, 1, 20, 80], k: f32[1, 1, 90, 80], v: f32[1, 1, "
     "90, 128], m: bool[1, 1, 20, 70]) -> (o) { o = attention(q, k, v, m) {tf32=true} }"},
    {"cuda.attention_tf32", "tf32", "graph g(q: f32[2, 1, 130, 16], k: f32[2, 1, 290, 16], v: f32[2, 1, "
     "290, 8]) -> (o) { o = attention(q, k, v) {causal=true, tf32=true} }"},
    {"cuda.attention_f16", "f16", "graph g(x: f16[2, 70, 96]) -> (o) {\n a = const s64[1] [0]\n"
     " b = const s64[1] [32]\n c = const s64[1] [64]\n d = const s64[1] [96]\n t = const s64[1] [2]\n"
     " h = const s64[4] [0, 0, 2, 16]\n x0 = slice(x, a, b, t)\n x1 = slice(x, b, c, t)\n"
     " x2 = slice(x, c, d, t)\n r0 = reshape(x0, h)\n r1 = reshape(x1, h)\n r2 = reshape(x2, h)\n"
     " q = transpose(r0) {perm=[0, 2, 1, 3]}\n k = transpose(r1) {perm=[0, 2, 1, 3]}\n"
     " v = transpose(r2) {perm=[0, 2, 1, 3]}\n y = attention(q, k, v)\n"
     " o = transpose(y) {perm=[0, 2, 1, 3]}\n}"},
};

TEST(every_way_of_attention) {
  int sm = 0, taken = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm == 90 && i < sizeof attentions / sizeof *attentions; i++)
    for (int variant = 1; variant <= HONE_CUDA_ATTENTION_VARIANTS; variant++) {
      if (!mine()) continue;
      hone_candidate one = {attentions[i].name, variant, 0, NULL};
      double tolerance = bound("on a GPU", attentions[i].precision);
      taken += check_cuda_candidate(attentions[i].text, tolerance, &one);
    }
  printf("%d ways of attention\n", taken);
  CHECK(sm != 90 || has_tried(taken, 40));
}

/* cuDNN's graphs beside convolutions: masks of all that a row has and of single numbers, queries that
 * see no later keys, heads that share keys, lengths of all kinds, moves that are read and written
 * through. */
static const struct { const char *name, *precision, *text; } graphs[] = {
    {"cuda.cudnn_attention", "f16", "graph g(q: f16[2, 3, 37, 32], k: f16[2, 3, 45, 32], v: "
     "f16[2, 3, 45, 64]) -> (o) { o = attention(q, k, v) {scale=0.3} }"},
    {"cuda.cudnn_attention", "bf16", "graph g(q: bf16[1, 4, 64, 64], k: bf16[1, 2, 64, 64], v: "
     "bf16[1, 2, 64, 64]) -> (o) { o = attention(q, k, v) {causal=true} }"},
    {"cuda.cudnn_attention", "f16", "graph g(q: f16[2, 2, 66, 32], k: f16[2, 2, 128, 32], v: "
     "f16[2, 2, 128, 32], m: f16[2, 1, 1, 128]) -> (o) { o = attention(q, k, v, m) }"},
    {"cuda.cudnn_attention", "f16", "graph g(q: f16[1, 2, 64, 16], k: f16[1, 2, 72, 16], v: "
     "f16[1, 2, 72, 16], m: f16[64, 72]) -> (o) {\n y = attention(q, k, v, m)\n o = relu(y)\n}"},
    {"cuda.cudnn_attention", "f16", "graph g(x: f16[2, 70, 96]) -> (o) {\n a = const s64[1] [0]\n"
     " b = const s64[1] [32]\n c = const s64[1] [64]\n d = const s64[1] [96]\n t = const s64[1] [2]\n"
     " h = const s64[4] [0, 0, 2, 16]\n x0 = slice(x, a, b, t)\n x1 = slice(x, b, c, t)\n"
     " x2 = slice(x, c, d, t)\n r0 = reshape(x0, h)\n r1 = reshape(x1, h)\n r2 = reshape(x2, h)\n"
     " q = transpose(r0) {perm=[0, 2, 1, 3]}\n k = transpose(r1) {perm=[0, 2, 1, 3]}\n"
     " v = transpose(r2) {perm=[0, 2, 1, 3]}\n y = attention(q, k, v)\n"
     " o = transpose(y) {perm=[0, 2, 1, 3]}\n}"},
    {"cuda.cudnn_norm", "f16", "graph g(x: f16[3, 7, 768]) -> (o) {\n"
     " s = const f16[768] @weights+90000\n b = const f16[768] @weights+91000\n"
     " y = layer_norm(x, s, b)\n o = relu(y)\n}"},
    {"cuda.cudnn_norm", "fp32", "graph g(x: f32[5, 40]) -> (o) {\n s = const f32[40] @weights+0\n"
     " b = const f32[40] @weights+40\n o = layer_norm(x, s, b) {epsilon=0.01}\n}"},
};

TEST(every_graph_of_cudnn) {
  int sm = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm >= 80 && i < sizeof graphs / sizeof *graphs; i++) {
    int taken = 0, variants = strstr(graphs[i].name, "norm") ? 1 : 2;
    if (!mine()) continue;
    for (int variant = 1; variant <= variants; variant++) {
      hone_candidate one = {graphs[i].name, variant, 0, NULL};
      taken += check_cuda_candidate(graphs[i].text, bound("on a GPU", graphs[i].precision), &one);
    }
    if (taken != variants) printf("cuDNN lacks a plan for %s\n", graphs[i].text);
    CHECK(taken == variants);
  }
}

/* Heads that end within 16 bytes are known at planning alone; these never are the library's. */
static const char *const no_graphs[] = {
    "graph g(q: f32[1, 2, 8, 16], k: f32[1, 2, 8, 16], v: f32[1, 2, 8, 16]) -> (o) "
    "{ o = attention(q, k, v) }",
    "graph g(q: f16[1, 2, 8, 16], k: f16[1, 2, 8, 16], v: f16[1, 2, 8, 16], m: bool[1, 1, 8, 8]) -> (o) "
    "{ o = attention(q, k, v, m) }",
    "graph g(x: f16[5, 40], s: f16[40]) -> (o) {\n b = const f16[40] @weights+40\n"
    " o = layer_norm(x, s, b)\n}",
    "graph g(x: f16[5, 4, 10]) -> (o) {\n s = const f16[4, 10] @weights+0\n"
    " b = const f16[4, 10] @weights+40\n o = layer_norm(x, s, b) {axis=1}\n}",
};

TEST(what_is_no_graph_of_cudnn) {
  for (size_t i = 0; i < sizeof no_graphs / sizeof *no_graphs; i++) {
    CHECK(!is_offered(no_graphs[i], "cuda.cudnn_attention"));
    CHECK(!is_offered(no_graphs[i], "cuda.cudnn_norm"));
  }
}

/* Every tile of bytes, whole and in three parts of the depth, on memory at a multiple of 256, of 8 alone
 * and of nothing. Groups are not for tiles. */
TEST(every_tile_of_bytes) {
  static const struct { int cut; size_t shift; } ways[] = {{0, 0}, {2, 0}, {0, 8}, {0, 3}};
  int taken = 0;
  for (size_t i = 0; i < CUDA_BODIES; i++) {
    const char *text = cuda_bodies[i].text;
    if (!strstr(text, "_integer(") || (only && !strstr(text, only))) continue;
    CHECK(is_offered(text, "cuda.integer_tensor") == !strstr(text, "groups"));
    bool depthwise = strstr(text, "groups") && !strstr(text, "groups=2,");
    CHECK(is_offered(text, "cuda.integer_depthwise") == depthwise);
    if (strstr(text, "groups")) continue;
    for (int tile = 0; tile < HONE_CUDA_BYTE_TILES; tile++)
      for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        if (!mine()) continue;
        int variant = 1 + tile + HONE_CUDA_BYTE_TILES * ways[way].cut;
        hone_candidate one = {"cuda.integer_tensor", variant, 0, NULL};
        cuda_shift = ways[way].shift;
        taken += check_cuda_candidate(text, 0, &one);
      }
  }
  cuda_shift = 0;
  printf("%d products of bytes\n", taken);
  CHECK(only || has_tried(taken, 100));
}

/* Inverted residuals by every tile, in clusters of blocks as well: images smaller than a tile, in
 * several of them, at odd sizes; steps, larger windows, borders of all kinds; channels that end no chunk
 * or none of 16, many chunks; finishes as exporters write them, with and without a residual. */
#define EXPAND(in, mid) " w = const f16[1, 1, " in ", " mid "] @weights+80000\n a = conv(x, w"
#define WINDOWS(taps, mid) " d = const f16[" taps ", " taps ", 1, " mid "] @weights+81024\n"
#define PROJECT(mid, out) " p = const f16[1, 1, " mid ", " out "] @weights+82048\n"
static const struct {
  const char *precision, *text;
  int least, clusters; /* tiles that take it, by themselves and on compute capability 9.0 in clusters */
} blocks[] = {
    {"f16", "graph g(x: f16[2, 14, 17, 24]) -> (o) {\n l = const f16[] 0\n h = const f16[] 6\n"
     " b = const f16[144] @weights+90000\n" EXPAND("24", "144") ", b)\n c = clip(a, l, h)\n"
     WINDOWS("3", "144") " v = const f16[144] @weights+91000\n"
     " e = conv(c, d, v) {groups=144, pads=[1, 1, 1, 1]}\n f = clip(e, l, h)\n" PROJECT("144", "24")
     " u = const f16[24] @weights+92000\n y = conv(f, p, u)\n o = add(y, x)\n}", 3, 5},
    {"f16", "graph g(x: f16[1, 15, 12, 16]) -> (o) {\n l = const f16[] 0\n h = const f16[] 6\n"
     EXPAND("16", "96") ")\n m = max(a, l)\n c = min(m, h)\n" WINDOWS("3", "96")
     " e = conv(c, d) {groups=96, pads=[1, 1, 1, 1], strides=[2, 2]}\n f = relu(e)\n"
     PROJECT("96", "24") " o = conv(f, p)\n}", 2, 3},
    {"f16", "graph g(x: f16[1, 20, 31, 32]) -> (o) {\n" EXPAND("32", "192") ")\n c = hard_swish(a)\n"
     WINDOWS("3", "192") " e = conv(c, d) {groups=192, pads=[0, 1, 2, 0]}\n"
     " f = hard_swish(e)\n" PROJECT("192", "40") " o = conv(f, p)\n}", 3, 5},
    {"f16", "graph g(x: f16[1, 9, 10, 8]) -> (o) {\n" EXPAND("8", "72") ")\n c = relu(a)\n"
     WINDOWS("5", "72") " e = conv(c, d) {groups=72, padding=same_upper, strides=[2, 2]}\n"
     " f = sigmoid(e)\n" PROJECT("72", "8") " o = conv(f, p)\n}", 2, 3},
    {"f16", "graph g(x: f16[1, 11, 7, 40]) -> (o) {\n s = const f16[40] @weights+90000\n"
     EXPAND("40", "120") ")\n c = silu(a)\n" WINDOWS("5", "120")
     " e = conv(c, d) {groups=120, pads=[2, 2, 2, 2]}\n f = silu(e)\n" PROJECT("120", "40")
     " y = conv(f, p)\n z = mul(y, s)\n q = add(x, z)\n o = relu(q)\n}", 2, 3},
    {"bf16", "graph g(x: bf16[3, 7, 7, 24]) -> (o) {\n w = const bf16[1, 1, 24, 64] @weights+112768\n"
     " a = conv(x, w)\n c = relu(a)\n d = const bf16[3, 3, 1, 64] @weights+116864\n"
     " e = conv(c, d) {groups=64, pads=[1, 1, 1, 1]}\n f = relu(e)\n"
     " p = const bf16[1, 1, 64, 24] @weights+118784\n y = conv(f, p)\n o = add(y, x)\n}", 2, 1},
    {"f16", "graph g(x: f16[1, 8, 8, 64], r: f16[1, 8, 8, 104]) -> (o) {\n" EXPAND("64", "128")
     ")\n c = relu(a)\n" WINDOWS("3", "128") " e = conv(c, d) {groups=128, pads=[1, 1, 1, 1]}\n"
     " f = relu(e)\n" PROJECT("128", "104") " y = conv(f, p)\n o = add(y, r)\n}", 2, 3},
    {"f16", "graph g(x: f16[1, 7, 6, 8]) -> (o) {\n" EXPAND("8", "960") ")\n c = relu(a)\n"
     WINDOWS("3", "960") " e = conv(c, d) {groups=960, pads=[1, 1, 1, 1]}\n f = relu(e)\n"
     PROJECT("960", "16") " o = conv(f, p)\n}", 2, 5},
};

TEST(every_tile_of_blocks) {
  int sm = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm >= 80 && i < sizeof blocks / sizeof *blocks; i++) {
    int taken = 0;
    if (!mine() || (only && !strstr(blocks[i].text, only))) continue;
    for (int variant = 1; variant <= 8; variant++) {
      hone_candidate one = {"cuda.conv_block", variant, 0, NULL};
      bool apart = (variant == 1 || variant == 5) && i % 3 == 0;
      cuda_shift = apart ? 2 : 0; /* memory at no multiple of 16 bytes */
      taken += check_cuda_candidate(blocks[i].text, bound("on a GPU", blocks[i].precision), &one);
    }
    cuda_shift = 0;
    CHECK(taken == blocks[i].least + (sm == 90 ? blocks[i].clusters : 0));
  }
}

/* Bottlenecks by every tile: images smaller than one, in several of them, at odd sizes and steps;
 * channels that end no slice of 64 or none of 16, more columns than are made at a time; with and without
 * a residual; more tiles than blocks that keep their filters. */
#define DENSE(mid) " d = const f16[3, 3, " mid ", " mid "] @weights+145536\n"
static const struct {
  const char *precision, *text;
  int taken; /* tiles that take it */
} bottlenecks[] = {
    {"f16", "graph g(x: f16[2, 14, 17, 72]) -> (o) {\n b = const f16[16] @weights+90000\n"
     EXPAND("72", "16")
     ", b)\n c = relu(a)\n"
     DENSE("16") " v = const f16[16] @weights+91000\n"
     " e = conv(c, d, v) {pads=[1, 1, 1, 1]}\n f = relu(e)\n" PROJECT("16", "72")
     " u = const f16[72] @weights+92000\n y = conv(f, p, u)\n z = add(y, x)\n o = relu(z)\n}", 4},
    {"f16", "graph g(x: f16[1, 19, 15, 24]) -> (o) {\n"
     EXPAND("24", "48") ")\n c = sigmoid(a)\n"
     DENSE("48")
     " e = conv(c, d) {pads=[1, 1, 1, 1], strides=[2, 2]}\n f = relu(e)\n" PROJECT("48", "40")
     " o = conv(f, p)\n}", 2},
    {"f16", "graph g(x: f16[1, 9, 11, 16], r: f16[1, 8, 10, 64]) -> (o) {\n"
     EXPAND("16", "40")
     ")\n c = relu(a)\n"
     DENSE("40") " e = conv(c, d) {pads=[0, 1, 1, 0]}\n" PROJECT("40", "64")
     " y = conv(e, p)\n o = add(y, r)\n}", 4},
    {"bf16", "graph g(x: bf16[3, 7, 7, 24]) -> (o) {\n w = const bf16[1, 1, 24, 32] @weights+112768\n"
     " a = conv(x, w)\n c = relu(a)\n d = const bf16[3, 3, 32, 32] @weights+112768\n"
     " e = conv(c, d) {pads=[1, 1, 1, 1]}\n f = relu(e)\n"
     " p = const bf16[1, 1, 32, 24] @weights+118784\n y = conv(f, p)\n o = add(y, x)\n}", 3},
    {"f16", "graph g(x: f16[1, 10, 10, 72]) -> (o) {\n"
     EXPAND("72", "128") ")\n c = relu(a)\n"
     DENSE("128")
     " e = conv(c, d) {pads=[1, 1, 1, 1]}\n f = relu(e)\n" PROJECT("128", "72") " y = conv(f, p)\n"
     " o = add(y, x)\n}", 3},
    {"f16", "graph g(x: f16[270, 1, 3, 136]) -> (o) {\n"
     EXPAND("136", "8") ")\n c = relu(a)\n"
     DENSE("8") " e = conv(c, d) {pads=[1, 1, 1, 1]}\n f = relu(e)\n" PROJECT("8", "136")
     " y = conv(f, p)\n o = add(y, x)\n}", 2},
};

TEST(every_tile_of_bottlenecks) {
  int sm = 0;
  CHECK_OK(hone_cuda_capability(&sm));
  for (size_t i = 0; sm >= 80 && i < sizeof bottlenecks / sizeof *bottlenecks; i++) {
    const char *text = bottlenecks[i].text;
    int taken = 0;
    if (!mine() || (only && !strstr(text, only))) continue;
    for (int variant = 1; variant <= 4; variant++) {
      hone_candidate one = {"cuda.conv_bottleneck", variant, 0, NULL};
      cuda_shift = variant == 1 && i % 2 == 0 ? 2 : 0; /* memory at no multiple of 16 bytes */
      taken += check_cuda_candidate(text, bound("on a GPU", bottlenecks[i].precision), &one);
    }
    cuda_shift = 0;
    CHECK(sm == 90 ? taken == bottlenecks[i].taken : taken > 0);
  }
}

/* The mean that squeeze and excite takes is of the whole image; what others read too leaves the kernel;
 * filters that only running tells; windows that step unevenly, or are of
 * groups of channels; more channels between than a bottleneck has. */
static const char *const no_blocks[] = {
    "graph g(x: f16[1, 8, 8, 16]) -> (o) {\n i = const s64[2] [1, 2]\n" EXPAND("16", "32")
    ")\n c = relu(a)\n"
    WINDOWS("3", "32") " e = conv(c, d) {groups=32, pads=[1, 1, 1, 1]}\n"
    " m = reduce(e, i) {kind=mean}\n g = sigmoid(m)\n f = mul(e, g)\n" PROJECT("32", "16")
    " o = conv(f, p)\n}",
    "graph g(x: f16[1, 8, 8, 16]) -> (o, c) {\n" EXPAND("16", "32") ")\n c = relu(a)\n"
    WINDOWS("3", "32") " e = conv(c, d) {groups=32, pads=[1, 1, 1, 1]}\n" PROJECT("32", "16")
    " o = conv(e, p)\n}",
    "graph g(x: f16[1, 8, 8, 16], r: f16[1, 8, 8, 32]) -> (o) {\n" EXPAND("16", "32")
    ")\n c = add(a, r)\n"
    WINDOWS("3", "32") " e = conv(c, d) {groups=32, pads=[1, 1, 1, 1]}\n" PROJECT("32", "16")
    " o = conv(e, p)\n}",
    "graph g(x: f16[1, 8, 8, 16], p: f16[1, 1, 32, 16]) -> (o) {\n" EXPAND("16", "32")
    ")\n c = relu(a)\n"
    WINDOWS("3", "32") " e = conv(c, d) {groups=32, pads=[1, 1, 1, 1]}\n o = conv(e, p)\n}",
    "graph g(x: f16[1, 8, 8, 16]) -> (o) {\n" EXPAND("16", "32") ")\n" WINDOWS("3", "32")
    " e = conv(a, d) {groups=32, pads=[1, 1, 1, 1], strides=[1, 2]}\n" PROJECT("32", "16")
    " o = conv(e, p)\n}",
    "graph g(x: f32[1, 8, 8, 16]) -> (o) {\n w = const f32[1, 1, 16, 32] @weights+0\n a = conv(x, w)\n"
    " d = const f32[3, 3, 1, 32] @weights+64\n e = conv(a, d) {groups=32, pads=[1, 1, 1, 1]}\n"
    " p = const f32[1, 1, 32, 16] @weights+128\n o = conv(e, p)\n}",
    "graph g(x: f16[1, 8, 8, 16]) -> (o) {\n" EXPAND("16", "32") ")\n"
    " d = const f16[3, 3, 16, 32] @weights+81024\n e = conv(a, d) {groups=2, pads=[1, 1, 1, 1]}\n"
    PROJECT("32", "16") " o = conv(e, p)\n}",
    "graph g(x: f16[1, 8, 8, 16]) -> (o) {\n" EXPAND("16", "136") ")\n"
    " d = const f16[3, 3, 136, 136] @weights+145536\n e = conv(a, d) {pads=[1, 1, 1, 1]}\n"
    PROJECT("136", "16") " o = conv(e, p)\n}",
    "graph g(x: f16[1, 8, 8, 16]) -> (o, a) {\n" EXPAND("16", "32") ")\n" DENSE("32")
    " e = conv(a, d) {pads=[1, 1, 1, 1]}\n" PROJECT("32", "16") " o = conv(e, p)\n}",
};

TEST(what_is_no_block) {
  for (size_t i = 0; i < sizeof no_blocks / sizeof *no_blocks; i++) {
    hone_candidate all[128];
    hone_graph *graph = NULL;
    CHECK_OK(hone_graph_parse(no_blocks[i], strlen(no_blocks[i]), hone_op_find, body_weights, &graph));
    size_t count = graph ? hone_backend_cuda.candidates(graph, all, 128) : 0;
    CHECK(count > 0);
    for (size_t c = 0; c < count && c < 128; c++) {
      CHECK(strcmp(all[c].name, "cuda.conv_block") != 0);
      CHECK(strcmp(all[c].name, "cuda.conv_bottleneck") != 0);
    }
    hone_graph_free(graph);
  }
}

int main(int count, char **words) {
  if (count == 2) only = words[1];
  if (count == 3) {
    parts = strtoul(words[2], NULL, 10);
    part = strtoul(words[1], NULL, 10) - 1;
  }
  if (count > 3 || part >= parts) return fprintf(stderr, "which part of how many?\n"), 1;
  make_cuda_weights();
  hone_status *status = hone_backend_cuda.device->usable();
  if (status) {
    bool named = getenv("HONE_CUDA_DRIVER") != NULL; /* a stand-in, which has to do */
    printf("%s: %s\n", named ? "failed" : "skipped", hone_status_message(status));
    hone_status_free(status);
    return named;
  }
  RUN(bodies);
  RUN(every_tile_of_bytes);
  RUN(every_tile_of_blocks);
  RUN(every_tile_of_bottlenecks);
  RUN(every_cut_of_small_convolutions);
  RUN(every_cut_of_pooled_convolutions);
  if (only && strcmp(only, "boxes") == 0) RUN(every_tile_of_boxes);
  if (only && strcmp(only, "joins") == 0) RUN(every_tile_that_joins);
  if (only && strcmp(only, "few") == 0) RUN(every_tile_of_few_rows);
  if (only && strcmp(only, "vector") == 0) RUN(every_product_of_vectors);
  if (only && strcmp(only, "attention") == 0) RUN(every_way_of_attention);
  if (only && strcmp(only, "graphs") == 0) RUN(every_graph_of_cudnn);
  if (only) return check_report();
  RUN(every_pointwise_op);
  RUN(every_tile_of_boxes);
  RUN(every_tile_of_few_rows);
  RUN(every_tile_that_joins);
  RUN(every_product_of_vectors);
  RUN(what_is_no_product_of_vectors);
  RUN(every_tile_of_tf32);
  RUN(what_is_no_tf32);
  RUN(what_is_a_first_layer_of_tf32);
  RUN(every_norm_of_a_product);
  RUN(what_is_no_small_convolution);
  RUN(what_is_not_pooled);
  RUN(every_way_of_attention);
  RUN(every_graph_of_cudnn);
  RUN(what_is_no_graph_of_cudnn);
  RUN(what_is_no_block);
  CHECK(cuda_candidates_run > 20 / (int)parts);
  return check_report();
}
