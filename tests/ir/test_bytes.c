/* Memory of constants: kept while somebody uses a piece of it, given back by a sweep. */
#include <string.h>

#include "check.h"
#include "ir/graph.h"
#include "ir/op.h"

static const hone_op op_many = {
    .name = "many", .inputs = "x*", .outputs = "y", .infer = hone_infer_same};
static const hone_op op_body = {.name = "body",
                                .inputs = "x*",
                                .outputs = "y*",
                                .facts = HONE_HAS_REGIONS,
                                .infer = hone_infer_same};

enum { COUNT = 4096 }; /* bytes of a constant: enough for memory of its own */

static hone_value *constant(hone_graph *graph, const unsigned char *bytes, size_t count) {
  hone_value *value = NULL;
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)count}};
  CHECK_OK(hone_graph_constant(graph, NULL, HONE_U8, shape, bytes, count, &value));
  return value;
}

static unsigned char *filled(hone_graph *graph, int with) {
  unsigned char *bytes = hone_graph_bytes(graph, COUNT);
  CHECK(bytes && (uintptr_t)bytes % 64 == 0);
  return memset(bytes, with, COUNT);
}

static void use(hone_graph *graph, hone_value *value) {
  hone_node *node = NULL;
  CHECK_OK(hone_node_new(graph, NULL, &op_many, &value, 1, 1, &node));
}

TEST(what_nobody_uses_is_given_back) {
  hone_graph *root = NULL, *body = NULL;
  hone_node *owner = NULL;
  CHECK_OK(hone_graph_new("g", &root));
  CHECK_OK(hone_node_new(root, NULL, &op_body, NULL, 0, 0, &owner));
  CHECK_OK(hone_graph_new_region(owner, "b", &body));
  unsigned char *whole = filled(root, 1), *in_part = filled(root, 2), *unused = filled(root, 3);
  use(root, constant(root, whole, COUNT));
  use(body, constant(body, in_part + COUNT - 5, 5)); /* the end of one, inside a region */
  constant(root, in_part, COUNT);                    /* without a user, and its bytes have one */
  hone_value *gone = constant(root, unused, COUNT);
  CHECK_OK(hone_graph_sweep(root));
  CHECK(hone_value_is_absent(gone));
  CHECK(root->constant_count == 2 && body->constant_count == 1);
  CHECK(whole[COUNT - 1] == 1 && in_part[0] == 2);
  hone_node_remove(root->last);
  hone_node_remove(body->last);
  CHECK_OK(hone_graph_sweep(root));
  CHECK(root->constant_count == 0 && body->constant_count == 0 && root->owned == NULL);
  hone_graph_free(root);
}

TEST(other_memory_stays_as_it_is) {
  static const unsigned char lent[COUNT];
  hone_graph *root = NULL;
  CHECK_OK(hone_graph_new("g", &root));
  hone_value *small = NULL, *outside = constant(root, lent, COUNT);
  CHECK_OK(hone_graph_constant_copy(root, NULL, HONE_U8, (hone_shape){.rank = 1, .dim = {3}}, "abc",
                                    3, &small));
  filled(root, 1);
  CHECK_OK(hone_graph_sweep(root));
  CHECK(root->constant_count == 2 && outside->constant == lent && root->owned == NULL);
  CHECK(memcmp(small->constant, "abc", 3) == 0);
  hone_graph_free(root);
}

int main(void) {
  RUN(what_nobody_uses_is_given_back);
  RUN(other_memory_stays_as_it_is);
  return check_report();
}
