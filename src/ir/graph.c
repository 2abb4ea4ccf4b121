/* Making and changing graphs: values, constants, nodes, uses. Room: ir. */
#include "ir/graph.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "ir/bytes.h"
#include "ir/op.h"

/* Lets go of one thing that the graph keeps alive. */
typedef struct keeper {
  void (*release)(void *);
  void *argument;
  struct keeper *next;
} keeper;

static void release_file(void *file) {
  hone_file_release(file);
}

static hone_status *graph_init(hone_graph *graph, const char *name) {
  graph->name = hone_arena_text(graph->arena, name ? name : "graph", strlen(name ? name : "graph"));
  HONE_TRY_MEMORY(graph->name);
  return NULL;
}

hone_status *hone_graph_new(const char *name, hone_graph **out) {
  hone_graph *graph = hone_alloc_zero(sizeof *graph);
  HONE_TRY_MEMORY(graph);
  graph->arena = &graph->storage;
  graph->root = graph;
  hone_status *status = graph_init(graph, name);
  if (status) {
    hone_graph_free(graph);
    return status;
  }
  *out = graph;
  return NULL;
}

void hone_graph_free(hone_graph *root) {
  if (!root) return;
  assert(root->root == root);
  for (keeper *kept = root->kept; kept; kept = kept->next) kept->release(kept->argument);
  hone_map_free(&root->names);
  hone_graph_free_bytes(root);
  hone_arena_free(&root->storage);
  hone_free(root);
}

hone_status *hone_graph_keep(hone_graph *graph, void (*release)(void *), void *argument) {
  keeper *kept = HONE_NEW(graph->arena, keeper);
  HONE_TRY_MEMORY(kept);
  *kept = (keeper){release, argument, graph->root->kept};
  graph->root->kept = kept;
  return NULL;
}

hone_status *hone_graph_keep_file(hone_graph *graph, hone_file *file) {
  hone_status *status = hone_graph_keep(graph, release_file, file);
  if (status) hone_file_release(file);
  return status;
}

void hone_graph_unload(const hone_graph *graph) {
  for (const keeper *kept = graph->root->kept; kept; kept = kept->next)
    if (kept->release == release_file) hone_file_unload(kept->argument);
}

hone_status *hone_graph_new_region(hone_node *owner, const char *name, hone_graph **out) {
  hone_graph *parent = owner->graph;
  hone_graph **regions =
      HONE_NEW_ARRAY(parent->arena, owner->region_count + 1, hone_graph *);
  hone_graph *region = HONE_NEW(parent->arena, hone_graph);
  if (!regions || !region) return hone_error_memory();
  region->arena = parent->arena;
  region->root = parent->root;
  region->owner = owner;
  HONE_TRY(graph_init(region, name));
  if (owner->region_count)
    memcpy(regions, owner->regions, (size_t)owner->region_count * sizeof *regions);
  regions[owner->region_count++] = region;
  owner->regions = regions;
  *out = region;
  return NULL;
}

static bool find_symbol(const hone_graph *root, const char *name, hone_dim *out) {
  for (size_t i = 0; i < root->symbol_count; i++) {
    if (strcmp(root->symbols[i], name) != 0) continue;
    *out = -1 - (hone_dim)i;
    return true;
  }
  return false;
}

hone_status *hone_graph_symbol(hone_graph *graph, const char *name, hone_dim *out) {
  hone_graph *root = graph->root;
  char made_up[32];
  if (name && find_symbol(root, name, out)) return NULL;
  for (size_t number = root->symbol_count; !name; number++) {
    snprintf(made_up, sizeof made_up, "?%zu", number);
    if (!find_symbol(root, made_up, out)) name = made_up;
  }
  if (root->symbol_count == root->symbol_room) {
    size_t room = root->symbol_room ? root->symbol_room * 2 : 16;
    const char **symbols = HONE_NEW_ARRAY(root->arena, room, const char *);
    HONE_TRY_MEMORY(symbols);
    if (root->symbol_count) memcpy(symbols, root->symbols, root->symbol_count * sizeof *symbols);
    root->symbols = symbols;
    root->symbol_room = room;
  }
  char *copy = hone_arena_text(root->arena, name, strlen(name));
  HONE_TRY_MEMORY(copy);
  root->symbols[root->symbol_count++] = copy;
  *out = -(hone_dim)root->symbol_count;
  return NULL;
}

const char *hone_graph_symbol_name(const hone_graph *graph, hone_dim symbol) {
  size_t index = (size_t)(-1 - symbol);
  return symbol < 0 && index < graph->root->symbol_count ? graph->root->symbols[index] : "?";
}

/* Names are unique in a root and all its regions, so that one map serves reports and errors. */
static hone_status *unique_name(hone_graph *graph, hone_value *value, const char *name) {
  hone_map *names = &graph->root->names;
  char made_up[48];
  if (!name || !*name) {
    snprintf(made_up, sizeof made_up, "_%u", graph->root->next_name++);
    name = made_up;
  }
  const char *base = name;
  char *text = hone_arena_text(graph->arena, base, strlen(base));
  HONE_TRY_MEMORY(text);
  while (hone_map_get(names, text, strlen(text))) {
    size_t room = strlen(base) + 16;
    text = hone_arena_alloc(graph->arena, room);
    HONE_TRY_MEMORY(text);
    snprintf(text, room, "%s_%u", base, graph->root->next_name++);
  }
  HONE_TRY(hone_map_put(names, text, strlen(text), value));
  value->name = text;
  return NULL;
}

static hone_status *value_new(hone_graph *graph, const char *name, hone_type type,
                              hone_value **out) {
  hone_value *value = HONE_NEW(graph->arena, hone_value);
  HONE_TRY_MEMORY(value);
  value->graph = graph;
  value->id = graph->next_id++;
  value->type = type;
  HONE_TRY(unique_name(graph, value, name));
  *out = value;
  return NULL;
}

hone_status *hone_value_rename(hone_value *value, const char *name) {
  if (strcmp(value->name, name) == 0) return NULL;
  hone_map_remove(&value->graph->root->names, value->name, strlen(value->name));
  return unique_name(value->graph, value, name);
}

hone_value *hone_graph_find(const hone_graph *graph, const char *name) {
  return hone_map_get(&graph->root->names, name, strlen(name));
}

hone_status *hone_graph_input(hone_graph *graph, const char *name, hone_type type,
                              hone_value **out) {
  if (graph->input_count == graph->input_room) {
    int room = graph->input_room ? graph->input_room * 2 : 4;
    hone_value **inputs = HONE_NEW_ARRAY(graph->arena, room, hone_value *);
    HONE_TRY_MEMORY(inputs);
    if (graph->input_count)
      memcpy(inputs, graph->inputs, (size_t)graph->input_count * sizeof *inputs);
    graph->inputs = inputs;
    graph->input_room = room;
  }
  hone_value *value;
  HONE_TRY(value_new(graph, name, type, &value));
  value->index = graph->input_count;
  graph->inputs[graph->input_count++] = value;
  if (out) *out = value;
  return NULL;
}

hone_status *hone_graph_constant(hone_graph *graph, const char *name, hone_dtype dtype,
                                 hone_shape shape, const void *bytes, size_t size,
                                 hone_value **out) {
  size_t wanted;
  if (!hone_shape_bytes(&shape, dtype, &wanted))
    return hone_error(HONE_INVALID_MODEL, "the size of a constant overflows");
  if (wanted != size)
    return hone_error(HONE_INVALID_MODEL, "a constant holds %zu bytes where its shape takes %zu",
                      size, wanted);
  if (graph->constant_count == graph->constant_room) {
    size_t room = graph->constant_room ? graph->constant_room * 2 : 32;
    hone_value **constants = HONE_NEW_ARRAY(graph->arena, room, hone_value *);
    HONE_TRY_MEMORY(constants);
    if (graph->constant_count)
      memcpy(constants, graph->constants, graph->constant_count * sizeof *constants);
    graph->constants = constants;
    graph->constant_room = room;
  }
  hone_value *value;
  HONE_TRY(value_new(graph, name, hone_tensor_type(dtype, shape), &value));
  value->constant = bytes ? bytes : "";
  value->constant_size = size;
  graph->constants[graph->constant_count++] = value;
  *out = value;
  return NULL;
}

/* Strings: the characters move into the arena as well. */
static hone_status *own_strings(hone_arena *arena, hone_string *strings, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *text = hone_arena_text(arena, strings[i].data, strings[i].size);
    HONE_TRY_MEMORY(text);
    strings[i].data = text;
  }
  return NULL;
}

hone_status *hone_graph_constant_copy(hone_graph *graph, const char *name, hone_dtype dtype,
                                      hone_shape shape, const void *bytes, size_t size,
                                      hone_value **out) {
  void *copy = hone_graph_bytes(graph, size);
  HONE_TRY_MEMORY(copy);
  if (size) memcpy(copy, bytes, size);
  if (dtype == HONE_STR) HONE_TRY(own_strings(graph->arena, copy, size / sizeof(hone_string)));
  return hone_graph_constant(graph, name, dtype, shape, copy, size, out);
}

hone_status *hone_graph_ints(hone_graph *graph, const char *name, int rank, const int64_t *values,
                             size_t count, hone_value **out) {
  hone_shape shape = {.rank = rank, .dim = {(hone_dim)count}};
  return hone_graph_constant_copy(graph, name, HONE_S64, shape, values, count * sizeof *values,
                                  out);
}

hone_status *hone_graph_real(hone_graph *graph, const char *name, hone_dtype dtype, double value,
                             hone_value **out) {
  uint64_t bytes[2] = {0};
  size_t size = 0;
  if (hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT) hone_store_real(dtype, bytes, 0, value);
  else hone_store_int(dtype, bytes, 0, (int64_t)value);
  (void)hone_dtype_bytes(dtype, 1, &size);
  return hone_graph_constant_copy(graph, name, dtype, (hone_shape){0}, bytes, size, out);
}

/* Uses: each value's uses form a list, newest first. */
static void use_link(hone_use *use, hone_value *value, hone_node *user) {
  *use = (hone_use){.value = value, .user = user};
  if (!value) return;
  use->next = value->uses;
  if (use->next) use->next->previous = use;
  value->uses = use;
}

static void use_unlink(hone_use *use) {
  if (!use->value) return;
  if (use->previous) use->previous->next = use->next;
  else use->value->uses = use->next;
  if (use->next) use->next->previous = use->previous;
  *use = (hone_use){.user = use->user};
}

/* Moves `count` uses into an array for `room`, keeping them linked. */
static hone_use *uses_grow(hone_arena *arena, hone_use *uses, int count, int room) {
  hone_use *grown = HONE_NEW_ARRAY(arena, room, hone_use);
  for (int i = 0; grown && i < count; i++) {
    hone_value *value = uses[i].value;
    hone_node *user = uses[i].user;
    use_unlink(&uses[i]);
    use_link(&grown[i], value, user);
  }
  return grown;
}

hone_status *hone_graph_output(hone_graph *graph, hone_value *value) {
  assert(value->graph == graph);
  if (graph->output_count == graph->output_room) {
    int room = graph->output_room ? graph->output_room * 2 : 4;
    hone_use *outputs = uses_grow(graph->arena, graph->outputs, graph->output_count, room);
    HONE_TRY_MEMORY(outputs);
    graph->outputs = outputs;
    graph->output_room = room;
  }
  use_link(&graph->outputs[graph->output_count++], value, NULL);
  return NULL;
}

void hone_graph_set_output(hone_graph *graph, int index, hone_value *value) {
  assert(value->graph == graph);
  use_unlink(&graph->outputs[index]);
  use_link(&graph->outputs[index], value, NULL);
}

void hone_graph_drop_output(hone_graph *graph, int index) {
  use_unlink(&graph->outputs[index]);
  for (int i = index; i + 1 < graph->output_count; i++) {
    hone_value *value = graph->outputs[i + 1].value;
    use_unlink(&graph->outputs[i + 1]);
    use_link(&graph->outputs[i], value, NULL);
  }
  graph->output_count--;
}

void hone_graph_drop_input(hone_graph *graph, int index) {
  assert(!graph->inputs[index]->uses);
  for (int i = index; i + 1 < graph->input_count; i++) {
    graph->inputs[i] = graph->inputs[i + 1];
    graph->inputs[i]->index = i;
  }
  graph->input_count--;
}

static void node_link(hone_graph *graph, hone_node *node, hone_node *before) {
  node->next = before;
  node->previous = before ? before->previous : graph->last;
  if (node->previous) node->previous->next = node;
  else graph->first = node;
  if (before) before->previous = node;
  else graph->last = node;
}

static void node_unlink(hone_node *node) {
  hone_graph *graph = node->graph;
  if (node->previous) node->previous->next = node->next;
  else graph->first = node->next;
  if (node->next) node->next->previous = node->previous;
  else graph->last = node->previous;
  node->previous = node->next = NULL;
}

hone_status *hone_node_new(hone_graph *graph, hone_node *before, const hone_op *op,
                           hone_value *const *inputs, int input_count, int output_count,
                           hone_node **out) {
  hone_node *node = HONE_NEW(graph->arena, hone_node);
  HONE_TRY_MEMORY(node);
  node->graph = graph;
  node->id = graph->next_id++;
  node->op = op;
  node->inputs = HONE_NEW_ARRAY(graph->arena, input_count + 1, hone_use);
  node->outputs = HONE_NEW_ARRAY(graph->arena, output_count + 1, hone_value *);
  if (!node->inputs || !node->outputs) return hone_error_memory();
  HONE_TRY(hone_attrs_default(graph->arena, op, &node->attrs));
  for (int i = 0; i < output_count; i++) {
    hone_type unknown = hone_tensor_type(HONE_DTYPE_NONE, hone_shape_unknown());
    HONE_TRY(value_new(graph, NULL, unknown, &node->outputs[i]));
    node->outputs[i]->producer = node;
    node->outputs[i]->index = i;
  }
  node->output_count = output_count;
  for (int i = 0; i < input_count; i++) {
    assert(!inputs[i] || inputs[i]->graph == graph);
    use_link(&node->inputs[i], inputs[i], node);
  }
  node->input_count = input_count;
  node_link(graph, node, before);
  *out = node;
  return NULL;
}

void hone_node_drop_output(hone_node *node, int index) {
  assert(!node->outputs[index] || !node->outputs[index]->uses);
  if (node->outputs[index])
    hone_map_remove(&node->graph->root->names, node->outputs[index]->name,
                    strlen(node->outputs[index]->name));
  node->outputs[index] = NULL;
}

hone_status *hone_node_add_output(hone_node *node, const char *name, hone_type type,
                                  hone_value **out) {
  hone_value **outputs =
      HONE_NEW_ARRAY(node->graph->arena, node->output_count + 1, hone_value *);
  HONE_TRY_MEMORY(outputs);
  if (node->output_count)
    memcpy(outputs, node->outputs, (size_t)node->output_count * sizeof *outputs);
  hone_value *value;
  HONE_TRY(value_new(node->graph, name, type, &value));
  value->producer = node;
  value->index = node->output_count;
  outputs[node->output_count++] = value;
  node->outputs = outputs;
  if (out) *out = value;
  return NULL;
}

hone_status *hone_node_add_input(hone_node *node, hone_value *value) {
  hone_use *inputs =
      uses_grow(node->graph->arena, node->inputs, node->input_count, node->input_count + 1);
  HONE_TRY_MEMORY(inputs);
  node->inputs = inputs;
  use_link(&inputs[node->input_count++], value, node);
  return NULL;
}

void hone_node_set_input(hone_node *node, int index, hone_value *value) {
  assert(!value || value->graph == node->graph);
  use_unlink(&node->inputs[index]);
  use_link(&node->inputs[index], value, node);
}

void hone_node_drop_input(hone_node *node, int index) {
  use_unlink(&node->inputs[index]);
  for (int i = index; i + 1 < node->input_count; i++) {
    hone_value *value = node->inputs[i + 1].value;
    use_unlink(&node->inputs[i + 1]);
    use_link(&node->inputs[i], value, node);
  }
  node->input_count--;
}

void hone_node_remove(hone_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) hone_node_drop_output(node, i);
  for (int i = 0; i < node->input_count; i++) use_unlink(&node->inputs[i]);
  node_unlink(node);
}

void hone_node_move(hone_node *node, hone_node *before) {
  if (node == before || node->next == before) return;
  node_unlink(node);
  node_link(node->graph, node, before);
}

hone_status *hone_node_add_source(hone_node *node, const char *name) {
  for (int i = 0; i < node->source_count; i++)
    if (strcmp(node->sources[i], name) == 0) return NULL;
  hone_arena *arena = node->graph->arena;
  const char **sources = HONE_NEW_ARRAY(arena, node->source_count + 1, const char *);
  char *copy = hone_arena_text(arena, name, strlen(name));
  if (!sources || !copy) return hone_error_memory();
  if (node->source_count)
    memcpy(sources, node->sources, (size_t)node->source_count * sizeof *sources);
  sources[node->source_count++] = copy;
  node->sources = sources;
  return NULL;
}

hone_status *hone_node_add_sources(hone_node *node, const hone_node *from) {
  for (int i = 0; i < from->source_count; i++)
    HONE_TRY(hone_node_add_source(node, from->sources[i]));
  return NULL;
}

const char *hone_node_label(const hone_node *node) {
  if (node->source_count) return node->sources[0];
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) return node->outputs[i]->name;
  return node->op->name;
}

void hone_value_replace(hone_value *from, hone_value *to) {
  assert(from != to && from->graph == to->graph);
  while (from->uses) {
    hone_use *use = from->uses;
    hone_node *user = use->user;
    use_unlink(use);
    use_link(use, to, user);
  }
}

bool hone_value_has_one_use(const hone_value *value) { return value->uses && !value->uses->next; }

const unsigned char hone_absent[64];

hone_datum hone_value_datum(const hone_value *constant) {
  return (hone_datum){.dtype = constant->type.dtype,
                      .shape = constant->type.shape,
                      .data = (void *)(uintptr_t)constant->constant};
}
