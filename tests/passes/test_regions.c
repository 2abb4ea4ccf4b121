/* Control flow: constants go into bodies, known branches take the node's place. */
#include "rewrites.h"

static const hone_pass *const passes[] = {&hone_pass_propagate, &hone_pass_regions,
                                          &hone_pass_propagate, &hone_pass_dead_code, NULL};

TEST(constants_go_inside) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(c: bool[], x: f32[3]) -> (y) {\n"
      "  two = const f32[3] [2, 2, 2] four = const f32[3] [4, 4, 4]\n"
      "  y = if(c, x, two, four) region yes(a: f32[3], t: f32[3], f: f32[3]) -> (p) {\n"
      "    s = add(t, f) p = mul(a, s) }\n"
      "  region no(b: f32[3], u: f32[3], h: f32[3]) -> (q) { q = sub(b, u) } }",
      passes, rewrite_defaults, &log, 0);
  if (!graph) return;
  const hone_node *node = graph->first;
  CHECK(rewrite_nodes(graph) == 1 && node->input_count == 2);
  CHECK(node->regions[0]->input_count == 1 && node->regions[1]->input_count == 1);
  CHECK(rewrite_nodes(node->regions[0]) == 1); /* the sum has folded */
  hone_graph_free(graph);
}

TEST(known_branches_take_the_place) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[3]) -> (y, z) { c = const bool[] false one = const f32[3] [1, 1, 1]\n"
      "  y, z = if(c, x, one) region yes(a: f32[3], t: f32[3]) -> (a, t) { }\n"
      "  region no(b: f32[3], u: f32[3]) -> (q, k) { q = sub(b, u) k = const f32[3] [7, 8, 9] } }",
      passes, rewrite_defaults, &log, 0);
  CHECK(graph && rewrite_fired(&log, "take branch") == 1 && rewrite_count(graph, "if") == 0);
  hone_graph_free(graph);
}

TEST(loops_keep_what_they_carry) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[3]) -> (y) { trips = const s64[] 4 half = const f32[3] [0.5, 0.25, 0.125]\n"
      "  first = const f32[3] [1, 2, 3] unused = relu(x)\n"
      "  y = loop(trips, _, first, x, half, unused) {carried=1}\n"
      "    region body(i: s64[], go: bool[], v: f32[3], a: f32[3], h: f32[3], n: f32[3]) -> (on, "
      "w) {\n"
      "      s = add(v, a) w = mul(s, h) on = identity(go) } }",
      passes, rewrite_defaults, &log, 0);
  if (!graph) return;
  CHECK(rewrite_nodes(graph) == 1 && graph->first->input_count == 4);
  CHECK(graph->first->regions[0]->input_count == 4);
  hone_graph_free(graph);
}

int main(void) {
  RUN(constants_go_inside);
  RUN(known_branches_take_the_place);
  RUN(loops_keep_what_they_carry);
  return check_report();
}
