/* einsum taken apart: the same numbers, and nothing of it left where it can be said. */
#include "rewrites.h"

static const hone_pass *const lowering[] = {&hone_pass_lower_einsum, &hone_pass_dead_code, NULL};

typedef struct row {
  const char *inputs, *operands, *equation;
  int left; /* einsum nodes that stay */
} row;

static const row rows[] = {
    {"a: f32[3, 4]", "a", "ij->ji", 0},
    {"a: f32[3, 4]", "a", "ij->i", 0},
    {"a: f32[3, 4]", "a", "ij", 0},
    {"a: f32[3, 4]", "a", "ij->", 0},
    {"a: f32[3, 3]", "a", "ii->i", 0},
    {"a: f32[1, 1]", "a", "ii", 0},
    {"a: f32[4, 2, 4, 3, 4]", "a", "ijiki->ki", 0},
    {"a: f32[2, 5, 3, 2, 3]", "a", "ijkik->kj", 0},
    {"a: f32[n, 3, 3], b: f32[3, n, 3]", "a, b", "nii,jnj->nj", 0},
    {"a: f32[n, n]", "a", "ii->i", 1},
    {"a: f32[3, 4], b: f32[4, 5]", "a, b", "ij,jk->ik", 0},
    {"a: f32[3], b: f32[4]", "a, b", "i,j->ji", 0},
    {"a: f32[5], b: f32[5]", "a, b", "i,i", 0},
    {"a: f32[], b: f32[]", "a, b", ",->", 0},
    {"a: f32[2, 3, 4, 5], b: f32[2, 6, 4, 5]", "a, b", "bhqd,bkqd->bhk", 0},
    {"a: f32[2, 3, 4], b: f32[7, 4, 3]", "a, b", "...ij,kji->...k", 0},
    {"a: f32[2, 3, 4], b: f32[1, 4, 5]", "a, b", "bij,bjk->bik", 1},
    {"a: f32[3, 4], b: f32[4, 5], c: f32[5, 6]", "a, b, c", "ij,jk,kl->il", 0},
    {"a: f32[3, 4], b: f32[4, 5], c: f32[3, 6], d: f32[6]", "a, b, c, d", "ij,jk,im,m->ki", 0},
    {"a: f32[3, 4], b: f32[4, 5], c: f32[5, 3]", "a, b, c", "ij,jk,ki->i", 0},
    {"a: f32[2, 3, 4, 5], b: f32[5, 3, 4, 2]", "a, b", "abcd,dbca->da", 0},
    {"a: f32[n, 4, 5], b: f32[n, 6, 5]", "a, b", "nij,nkj->nik", 0},
    {"a: f32[n, m, 5], b: f32[k, 5]", "a, b", "nmj,kj->nmk", 1},
    {"a: s64[3, 4], b: s64[4, 5], c: s64[5]", "a, b, c", "ij,jk,k->i", 0},
};

TEST(equations) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const row *r = &rows[i];
    char text[512];
    hone_pass_log log;
    snprintf(text, sizeof text, "graph g(%s) -> (y) { y = einsum(%s) {equation=\"%s\"} }",
             r->inputs, r->operands, r->equation);
    hone_graph *graph =
        rewrite_with(text, lowering, rewrite_defaults, &log, bound("rewritten sums", "fp32"));
    if (!graph) continue;
    if (rewrite_count(graph, "einsum") != r->left)
      fprintf(stderr, "%s: %s", r->equation, rewrite_print(graph));
    CHECK(rewrite_count(graph, "einsum") == r->left);
    hone_graph_free(graph);
  }
}

int main(void) {
  RUN(equations);
  return check_report();
}
