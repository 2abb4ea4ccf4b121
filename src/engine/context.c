/* Contexts: binding, running, reading back. Room: engine. */
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "engine/frame.h"

static hone_status *init_context(hone_context *context, const hone_options *options) {
  const hone_graph *graph = context->graph;
  int64_t threads = hone_option_int(options, HONE_OPTION_threads);
  if (!threads) threads = hone_option_int(context->engine->options, HONE_OPTION_threads);
  context->run.threads = threads ? (int)threads : hone_pool_default_threads();
  context->run.memory_limit = (size_t)hone_option_int(options, HONE_OPTION_memory_limit);
  context->deadline_seconds = hone_option_real(options, HONE_OPTION_deadline);
  context->inputs = HONE_NEW_ARRAY(&context->memory, graph->input_count + 1, hone_datum);
  context->input_given = HONE_NEW_ARRAY(&context->memory, graph->input_count + 1, bool);
  context->input_items = HONE_NEW_ARRAY(&context->memory, graph->input_count + 1, hone_arena);
  context->bound = HONE_NEW_ARRAY(&context->memory, graph->output_count + 1, hone_tensor);
  context->input_memory = HONE_NEW_ARRAY(&context->memory, graph->input_count + 1, int32_t);
  if (!context->inputs || !context->input_given || !context->input_items || !context->bound ||
      !context->input_memory)
    return hone_error_memory();
  HONE_TRY(hone_portions_new(&context->memory, graph, &context->portions));
  if (context->engine->device) context->run.device = context->engine->device->device;
  HONE_TRY(hone_frame_new(&context->run, context->engine->program, 0, &context->frame));
  context->frame->bound = context->bound;
  context->frame->callers.inputs = context->input_memory;
  hone_pool_reserve(context->run.threads);
  return NULL;
}

hone_status *hone_context_new(hone_engine *engine, const hone_options *options,
                              hone_context **out) {
  hone_context *context = hone_alloc_zero(sizeof *context);
  HONE_TRY_MEMORY(context);
  atomic_fetch_add(&engine->references, 1);
  context->engine = engine;
  context->graph = engine->program->graph;
  hone_status *status = init_context(context, options);
  if (status) {
    hone_context_free(context);
    return status;
  }
  *out = context;
  return NULL;
}

void hone_context_free(hone_context *context) {
  if (!context) return;
  hone_portions_free(&context->portions);
  hone_frame_free(context->frame);
  if (context->run.stream) context->run.device->close(context->run.stream);
  for (int i = 0; context->input_items && i < context->graph->input_count; i++)
    hone_arena_free(&context->input_items[i]);
  hone_arena_free(&context->memory);
  hone_arena_free(&context->items);
  hone_arena_free(&context->run.watch.memory);
  hone_engine_free(context->engine);
  hone_free(context);
}

/* ---- The caller's tensors ----------------------------------------------------------------------
 */

size_t hone_tensor_bytes(const hone_tensor *tensor) {
  if (tensor->rank < 0 || tensor->rank > HONE_MAX_RANK) return 0;
  hone_shape shape = hone_shape_of(tensor->rank, tensor->dims);
  size_t bytes;
  return hone_shape_bytes(&shape, tensor->dtype, &bytes) ? bytes : 0;
}

/* Reads a caller's struct into one of ours, whatever version of the struct it is. */
static hone_status *read_tensor(const hone_tensor *from, hone_tensor *out) {
  if (!from || from->struct_size < offsetof(hone_tensor, items))
    return hone_error(HONE_INVALID_ARGUMENT, "a tensor's struct_size is not set");
  memset(out, 0, sizeof *out);
  memcpy(out, from, from->struct_size < sizeof *out ? from->struct_size : sizeof *out);
  return NULL;
}

static hone_status *datum_of(hone_arena *memory, const hone_tensor *tensor, int depth,
                             hone_datum *out);

/* The items of a bound sequence are looked at in every run, so they are kept here as data. */
static hone_status *read_items(hone_arena *memory, const hone_tensor *from, int depth,
                               hone_datum *out) {
  if (depth > 2) return hone_error(HONE_INVALID_ARGUMENT, "a sequence is nested too deep");
  out->items = HONE_NEW_ARRAY(memory, from->count + 1, hone_datum);
  HONE_TRY_MEMORY(out->items);
  out->count = from->count;
  for (size_t i = 0; i < from->count; i++) {
    hone_tensor item;
    HONE_TRY(read_tensor(&from->items[i], &item));
    if (item.memory == HONE_ON_DEVICE)
      return hone_error(HONE_INVALID_ARGUMENT, "the items of a sequence lie on the host");
    HONE_TRY(datum_of(memory, &item, depth + 1, &out->items[i]));
  }
  return NULL;
}

/* Of a tensor that is read already. */
static hone_status *datum_of(hone_arena *memory, const hone_tensor *tensor, int depth,
                             hone_datum *out) {
  *out = (hone_datum){.kind = (hone_kind)tensor->kind, .dtype = tensor->dtype};
  if (tensor->kind != HONE_TENSOR) return read_items(memory, tensor, depth, out);
  if (tensor->rank < 0 || tensor->rank > HONE_MAX_RANK)
    return hone_error(HONE_INVALID_ARGUMENT, "rank %d is not in 0..%d", tensor->rank, HONE_MAX_RANK);
  if (tensor->dtype <= HONE_DTYPE_NONE || tensor->dtype >= HONE_DTYPE_COUNT)
    return hone_error(HONE_INVALID_ARGUMENT, "the element type is not set");
  out->shape = hone_shape_of(tensor->rank, tensor->dims);
  size_t bytes;
  if (!hone_shape_bytes(&out->shape, out->dtype, &bytes))
    return hone_error(HONE_INVALID_ARGUMENT, "a dimension is negative, or the size overflows");
  if (tensor->size < bytes)
    return hone_error(HONE_INVALID_ARGUMENT, "the shape takes %zu bytes and %zu were given", bytes,
                      tensor->size);
  if (bytes && !tensor->data) return hone_error(HONE_INVALID_ARGUMENT, "its memory is NULL");
  static unsigned char nothing[64];
  out->data = tensor->data ? tensor->data : nothing; /* no elements: any address does */
  return NULL;
}

hone_status *hone_tensor_read(const hone_tensor *tensor, hone_arena *memory, hone_datum *out) {
  hone_tensor read;
  HONE_TRY(read_tensor(tensor, &read));
  if (read.memory == HONE_ON_DEVICE)
    return hone_error(HONE_INVALID_ARGUMENT, "its memory is a device's, and is read on the host");
  return datum_of(memory, &read, 0, out);
}

/* Whether `datum` may stand at a port of this type. */
static hone_status *check_port(const hone_value *port, const hone_datum *datum) {
  const hone_type *type = &port->type;
  if (datum->kind != type->kind)
    return hone_error(HONE_INVALID_ARGUMENT,
                      "a tensor, sequence or optional is wanted as declared");
  if (datum->kind != HONE_KIND_TENSOR) return NULL;
  if (datum->dtype != type->dtype)
    return hone_error(HONE_INVALID_ARGUMENT, "it takes %s and was given %s",
                      hone_dtype_name(type->dtype), hone_dtype_name(datum->dtype));
  if (type->shape.rank < 0) return NULL;
  if (datum->shape.rank != type->shape.rank)
    return hone_error(HONE_INVALID_ARGUMENT, "it takes rank %d and was given rank %d",
                      type->shape.rank, datum->shape.rank);
  for (int i = 0; i < datum->shape.rank; i++)
    if (hone_dim_known(type->shape.dim[i]) && type->shape.dim[i] != datum->shape.dim[i])
      return hone_error(HONE_INVALID_ARGUMENT, "its dimension %d is %lld and was given as %lld", i,
                        (long long)type->shape.dim[i], (long long)datum->shape.dim[i]);
  return NULL;
}

/* Whether the memory is where a tensor says, as far as that can be told. */
static hone_status *check_memory(const hone_context *context, const hone_tensor *tensor) {
  if (tensor->memory < HONE_ON_HOST || tensor->memory > HONE_ON_DEVICE)
    return hone_error(HONE_INVALID_ARGUMENT, "there is no memory of kind %d", tensor->memory);
  if (tensor->memory != HONE_ON_DEVICE || !tensor->data) return NULL;
  if (tensor->kind != HONE_TENSOR || tensor->dtype == HONE_STR)
    return hone_error(HONE_INVALID_ARGUMENT, "only numbers lie in a device's memory");
  if (!context->run.device)
    return hone_error(HONE_UNSUPPORTED,
                      "it is in a device's memory, and the engine runs on the CPU");
  if ((uintptr_t)tensor->data % 16)
    return hone_error(HONE_INVALID_ARGUMENT,
                      "memory on a device begins at a multiple of 16 bytes, and this does not");
  return NULL;
}

hone_status *hone_set_input(hone_context *context, size_t index, const hone_tensor *tensor) {
  const hone_graph *graph = context->graph;
  if (index >= (size_t)graph->input_count)
    return hone_error(HONE_INVALID_ARGUMENT, "there is no input %zu", index);
  const hone_value *port = graph->inputs[index];
  hone_datum datum;
  hone_tensor read;
  /* A sequence that is bound loses its items now, whatever comes of the new one. */
  if (context->inputs[index].kind != HONE_KIND_TENSOR) context->input_given[index] = false;
  hone_arena_reset(&context->input_items[index]);
  hone_status *status = read_tensor(tensor, &read);
  if (!status) status = datum_of(&context->input_items[index], &read, 0, &datum);
  if (!status) status = check_memory(context, &read);
  if (!status) status = check_port(port, &datum);
  if (status) return hone_error_at(status, "input '%s'", port->name);
  context->inputs[index] = datum;
  context->input_memory[index] = read.memory;
  context->input_given[index] = true;
  return NULL;
}

hone_status *hone_set_output(hone_context *context, size_t index, const hone_tensor *tensor) {
  const hone_graph *graph = context->graph;
  hone_tensor read;
  if (index >= (size_t)graph->output_count)
    return hone_error(HONE_INVALID_ARGUMENT, "there is no output %zu", index);
  HONE_TRY(read_tensor(tensor, &read));
  HONE_TRY(hone_error_at(check_memory(context, &read), "output '%s'",
                         graph->outputs[index].value->name));
  context->bound[index] = read;
  return NULL;
}

void hone_set_output_memory(hone_context *context, hone_output_memory *give, void *argument) {
  const hone_graph *graph = context->graph;
  context->run.give = give;
  context->run.give_argument = argument;
  for (int i = 0; i < graph->output_count; i++) context->bound[i].data = NULL;
}

/* Symbols that stand in several inputs are one size. */
static hone_status *check_symbols(const hone_context *context) {
  const hone_graph *graph = context->graph;
  for (int i = 0; i < graph->input_count; i++) {
    if (context->inputs[i].kind != HONE_KIND_TENSOR) continue;
    const hone_shape *a = &graph->inputs[i]->type.shape;
    for (int d = 0; d < a->rank; d++) {
      if (hone_dim_known(a->dim[d])) continue;
      for (int j = 0; j < i; j++) {
        if (context->inputs[j].kind != HONE_KIND_TENSOR) continue;
        const hone_shape *b = &graph->inputs[j]->type.shape;
        for (int e = 0; e < b->rank; e++)
          if (a->dim[d] == b->dim[e] &&
              context->inputs[i].shape.dim[d] != context->inputs[j].shape.dim[e])
            return hone_error(HONE_INVALID_ARGUMENT,
                              "inputs '%s' and '%s' share dimension '%s' and were given %lld and "
                              "%lld",
                              graph->inputs[j]->name, graph->inputs[i]->name,
                              hone_graph_symbol_name(graph, a->dim[d]),
                              (long long)context->inputs[j].shape.dim[e],
                              (long long)context->inputs[i].shape.dim[d]);
      }
    }
  }
  return NULL;
}

hone_status *hone_context_run(hone_context *context, bool asynchronous) {
  const hone_graph *graph = context->graph;
  context->ran = false;
  context->run.asynchronous = asynchronous;
  if (hone_frame_device_faulted(context->frame)) HONE_TRY(hone_frame_device_settle(context->frame));
  hone_arena_reset(&context->items);
  for (int i = 0; i < graph->input_count; i++)
    if (!context->input_given[i])
      return hone_error(HONE_INVALID_ARGUMENT, "input '%s' was not set", graph->inputs[i]->name);
  HONE_TRY(check_symbols(context));
  context->run.number++;
  double seconds = context->deadline_seconds;
  context->run.deadline = seconds < 1e9 ? hone_now() + (uint64_t)(seconds * 1e9) : 0;
  context->run.next_poll = context->run.poll ? hone_now() + 20000000u : 0;
  hone_status *status = hone_portions_run(context);
  if (hone_status_code(status) == HONE_CANCELLED) atomic_store(&context->run.cancelled, false);
  context->ran = status == NULL;
  return status;
}

hone_status *hone_run(hone_context *context) {
  return hone_context_run(context, false);
}

void hone_cancel(hone_context *context) {
  atomic_store(&context->run.cancelled, true);
}

void hone_set_poll(hone_context *context, hone_poll *poll, void *argument) {
  context->run.poll = poll;
  context->run.poll_argument = argument;
}

size_t hone_context_memory(const hone_context *context) {
  size_t total = hone_frame_memory(context->frame) + context->memory.total + context->items.total +
                 hone_portions_memory(&context->portions);
  for (int i = 0; i < context->graph->input_count; i++)
    total += context->input_items[i].total;
  return total;
}

hone_status *hone_tensor_of(hone_arena *memory, const hone_datum *datum, hone_tensor *out) {
  *out = (hone_tensor){
      .struct_size = sizeof *out, .kind = datum->kind, .dtype = datum->dtype, .data = datum->data};
  if (datum->kind == HONE_KIND_TENSOR) {
    out->rank = datum->shape.rank;
    for (int i = 0; i < out->rank; i++) out->dims[i] = datum->shape.dim[i];
    out->size = hone_tensor_bytes(out);
    return NULL;
  }
  out->items = HONE_NEW_ARRAY(memory, datum->count + 1, hone_tensor);
  HONE_TRY_MEMORY(out->items);
  out->count = datum->count;
  for (size_t i = 0; i < datum->count; i++)
    HONE_TRY(hone_tensor_of(memory, &datum->items[i], &out->items[i]));
  return NULL;
}

hone_status *hone_get_output(const hone_context *context, size_t index, hone_tensor *out) {
  const hone_graph *graph = context->graph;
  if (!context->ran) return hone_error(HONE_INVALID_ARGUMENT, "the context has not run");
  if (index >= (size_t)graph->output_count)
    return hone_error(HONE_INVALID_ARGUMENT, "there is no output %zu", index);
  size_t size = out->struct_size;
  hone_tensor tensor;
  /* Items of sequences live in the context: that much of it changes behind the const. */
  hone_arena *items = &((hone_context *)(uintptr_t)context)->items;
  HONE_TRY(hone_tensor_of(items, hone_frame_output(context->frame, (int)index), &tensor));
  tensor.struct_size = size;
  if (tensor.data && tensor.data == context->bound[index].data)
    tensor.memory = context->bound[index].memory;
  memcpy(out, &tensor, size < sizeof tensor ? size : sizeof tensor);
  return NULL;
}
