/* An index that is outside fails the run, naming node, value and bound, on any number of threads:
 * kernels as the reference. */
#include "engines.h"

typedef struct fault_case {
  const char *node;    /* what makes y of x: f32[6, 5] and indices i: s64[n] of a fixed shape */
  const char *indices; /* their shape */
  int axis_size;       /* what they index */
  const char *updates; /* shape of u, or NULL */
  const char *before;  /* what the node's other operands come from, or NULL */
} fault_case;

static const fault_case cases[] = {
    {"gather(x, i)", "[40]", 6, NULL, NULL},
    {"gather(x, i) {axis=1}", "[7, 9]", 5, NULL, NULL},
    {"gather_elements(x, i)", "[6, 5]", 6, NULL, NULL},
    {"gather_elements(x, i) {axis=1}", "[6, 11]", 5, NULL, NULL},
    {"gather_nd(x, i)", "[700, 1]", 6, NULL, NULL},
    {"scatter_nd(x, i, u)", "[6, 1]", 6, "[6, 5]", NULL},
    {"scatter_elements(x, i, u) {axis=1}", "[6, 4]", 5, "[6, 4]", NULL},
    {"scatter_elements(x, i, u) {reduction=add}", "[4, 5]", 6, "[4, 5]", NULL},
    {"scatter_nd(x, i, u) {reduction=max}", "[6, 1]", 6, "[6, 5]", NULL},
    {"tensor_scatter(x, u, i) {axis=1}", "[6]", 4, "[6, 2]", NULL},
    {"roi_align(p, r, i) {height=2, width=2, samples=1}", "[9]", 6, "[9, 4]",
     "s = const s64[4] [6, 5, 1, 1]\n p = reshape(x, s)\n r = abs(u)\n"},
    {"max_unpool(p, i) {window=[2], strides=[2]}", "[2, 3, 5]", 60, NULL,
     "s = const s64[3] [2, 3, 5]\n p = reshape(x, s)\n"},
    {"rotary_embedding(p, u, u, i)", "[1, 15]", 7, "[7, 1]",
     "s = const s64[4] [1, 1, 15, 2]\n p = reshape(x, s)\n"},
};

static float x_data[30], u_data[64];
static int64_t i_data[1024];

static hone_tensor tensor_of(hone_dtype dtype, const char *shape, void *data, size_t room) {
  hone_tensor t = {.struct_size = sizeof t, .dtype = dtype, .data = data};
  size_t count = 1;
  for (const char *at = shape + 1; *at && *at != ']'; at++) {
    t.dims[t.rank] = strtol(at, (char **)&at, 10);
    count *= (size_t)t.dims[t.rank++];
    if (*at == ']') break;
  }
  t.size = count * (dtype == HONE_S64 ? 8 : 4);
  CHECK(t.size <= room);
  return t;
}

static hone_status *run_case(hone_engine *engine, const fault_case *c, const char *threads) {
  hone_options *options = NULL;
  hone_context *context = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "threads", threads));
  CHECK_OK(hone_context_new(engine, options, &context));
  hone_options_free(options);
  hone_tensor in[] = {tensor_of(HONE_F32, "[6, 5]", x_data, sizeof x_data),
                      tensor_of(HONE_S64, c->indices, i_data, sizeof i_data),
                      tensor_of(HONE_F32, c->updates ? c->updates : "[1]", u_data, sizeof u_data)};
  for (size_t k = 0; k < (c->updates ? 3 : 2); k++) CHECK_OK(hone_set_input(context, k, &in[k]));
  hone_status *status = hone_run(context);
  hone_context_free(context);
  return status;
}

static hone_engine *build_case(const fault_case *c, const char *passes) {
  char text[512], u[64] = "";
  hone_options *options = NULL;
  hone_engine *engine = NULL;
  if (c->updates) snprintf(u, sizeof u, ", u: f32%s", c->updates);
  snprintf(text, sizeof text,
           "graph g(x: f32[6, 5], i: s64%s%s) -> (y) { %s y = %s # from \"pick\"\n}", c->indices, u,
           c->before ? c->before : "", c->node);
  hone_model *model = engine_model(text);
  CHECK_OK(hone_options_new(&options));
  if (passes) CHECK_OK(hone_options_set(options, "passes", passes));
  CHECK_OK(hone_build(model, options, &engine));
  hone_options_free(options);
  hone_model_free(model);
  return engine;
}

static void check_case(const fault_case *c, const char *passes) {
  hone_engine *engine = build_case(c, passes);
  size_t last = tensor_of(HONE_S64, c->indices, i_data, sizeof i_data).size / 8 - 1;
  const int64_t bad[] = {c->axis_size, -c->axis_size - 1, INT64_MAX, INT64_MIN};
  for (const char *threads = "12"; *threads; threads++) {
    char count[2] = {*threads}, want[64];
    CHECK_OK(run_case(engine, c, count));
    for (size_t b = 0; b < 8; b++) {
      size_t at = b < 4 ? last : last / 2;
      i_data[at] = bad[b % 4];
      if (at < last) i_data[last] = 1000; /* the first is told, whoever meets it */
      snprintf(want, sizeof want, "index %lld is outside of a dimension of %d",
               (long long)bad[b % 4], c->axis_size);
      CHECK_ERROR(run_case(engine, c, count), HONE_INVALID_ARGUMENT, want);
      i_data[at] = i_data[last] = 0;
    }
  }
  hone_engine_free(engine);
}

TEST(faults_are_told) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    check_case(&cases[i], NULL);
    check_case(&cases[i], "none");
  }
}

TEST(faults_name_the_node) {
  hone_engine *engine = build_case(&cases[0], NULL);
  i_data[17] = 77;
  hone_status *status = run_case(engine, &cases[0], "2");
  CHECK(strstr(hone_status_place(status), "pick"));
  CHECK(strstr(hone_status_message(status), "element 17"));
  hone_status_free(status);
  i_data[17] = 0;
  hone_engine_free(engine);
}

int main(void) {
  RUN(faults_are_told);
  RUN(faults_name_the_node);
  return check_report();
}
