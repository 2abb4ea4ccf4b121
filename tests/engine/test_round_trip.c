/* The graph that an engine runs, after all passes, parses back from its text to the same graph. */
#include "engines.h"

static const char *const nets[] = {
    engine_net,
    engine_kernels_net,
    "graph g(x: f32[n, 64]) -> (y) { w = const f32[64, 64] @weights+0 z = const s64[2] [0, 1]"
    " o = const f32[] 0 m = reduce(x, z) {kind=sum, keep=false} c = greater(m, o)"
    " y = if(c, x, w)"
    " region then(a: f32[n, 64], b: f32[64, 64]) -> (r) { r = matmul(a, b) }"
    " region else(e: f32[n, 64], f: f32[64, 64]) -> (q) { p = exp(e) q = neg(p) } }",
    "graph g(x: f32[n, 64]) -> (y, s) { turns = const s64[] 5 w = const f32[64, 64] @weights+0"
    " y, s = loop(turns, _, x, w) {carried=1}"
    " region body(i: s64[], c: bool[], v: f32[n, 64], b: f32[64, 64]) -> (d, q, t) {"
    " d = identity(c) p = matmul(v, b) q = tanh(p) t = exp(q) } }",
};

static void check_graph(const hone_graph *graph) {
  hone_text once = {0}, twice = {0};
  hone_graph *again = NULL;
  CHECK_OK(hone_graph_print(graph, (size_t)-1, NULL, NULL, &once));
  CHECK_OK(
      hone_graph_parse(once.data, strlen(once.data), hone_op_find, (hone_bytes){"", 0}, &again));
  if (again) CHECK_OK(hone_graph_print(again, (size_t)-1, NULL, NULL, &twice));
  CHECK(twice.data && strcmp(once.data, twice.data) == 0);
  hone_text_free(&once);
  hone_text_free(&twice);
  hone_graph_free(again);
}

TEST(graphs_after_passes_round_trip) {
  for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
    hone_model *model = engine_model(nets[i]);
    hone_options *options = NULL;
    hone_engine *engine = NULL;
    CHECK_OK(hone_options_new(&options));
    CHECK_OK(hone_options_set(options, "measure", "false"));
    CHECK_OK(hone_build(model, options, &engine));
    if (engine) check_graph(engine->program->graph);
    hone_engine_free(engine);
    hone_options_free(options);
    hone_model_free(model);
  }
}

int main(void) {
  RUN(graphs_after_passes_round_trip);
  return check_report();
}
