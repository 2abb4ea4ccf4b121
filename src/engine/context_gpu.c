/* Contexts on a GPU: streams, runs that are only asked for, memory. Room: engine. */
#include "engine/frame.h"

static hone_status *needs_device(const hone_context *context) {
  return context->run.device ? NULL
                             : hone_error(HONE_UNSUPPORTED, "the engine runs on the CPU");
}

hone_status *hone_set_stream(hone_context *context, void *stream) {
  hone_run_state *run = &context->run;
  hone_stream *adopted = NULL;
  HONE_TRY(needs_device(context));
  HONE_TRY(hone_frame_device_settle(context->frame));
  if (stream) HONE_TRY(run->device->adopt(stream, &adopted));
  if (run->stream) run->device->close(run->stream);
  run->stream = adopted;
  return NULL;
}

hone_status *hone_enqueue(hone_context *context, hone_done *done, void *argument) {
  hone_frame *frame = context->frame;
  HONE_TRY(hone_context_run(context, true));
  if (!done) return NULL;
  if (frame->device.pending)
    return context->run.device->tell(hone_frame_stream(frame), done, argument);
  done(argument);
  return NULL;
}

hone_status *hone_wait(hone_context *context) {
  return hone_frame_device_settle(context->frame);
}

hone_status *hone_pinned_new(size_t size, void **out) {
  return hone_backend_cuda.device->take_pinned(size, out);
}

void hone_pinned_free(void *memory) {
  hone_backend_cuda.device->give_pinned(memory);
}

hone_status *hone_set_device_memory(hone_context *context, hone_device_take *take,
                                    hone_device_give *give, void *argument) {
  hone_run_state *run = &context->run;
  HONE_TRY(needs_device(context));
  if (!take != !give)
    return hone_error(HONE_INVALID_ARGUMENT, "taking and giving back go together");
  if (context->frame->device.memory)
    return hone_error(HONE_INVALID_ARGUMENT, "the context has memory on the device already");
  run->take_device = take;
  run->give_device = give;
  run->device_argument = argument;
  return NULL;
}
