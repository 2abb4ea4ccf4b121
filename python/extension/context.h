/* What the parts of Context share: context.c, enqueue.c. */
#ifndef HONE_PYTHON_CONTEXT_H
#define HONE_PYTHON_CONTEXT_H

#include "dlpack.h"

/* So many runs on other arrays each are under way at once; the next waits for them. */
#define MOST_UNDER_WAY 16

/* What a port of the model was given when a run was asked for. */
typedef struct asked {
  PyObject *name, *object; /* whom a loan under way keeps */
  dl_seen seen;
} asked;

typedef struct context_object {
  PyObject_HEAD hone_context *context;
  PyObject *engine;
  void *stream;           /* what hone_set_stream was told; NULL: the context's own */
  PyObject *stream_owner; /* which keeps it; or NULL */
  loan under_way[MOST_UNDER_WAY]; /* what runs that nobody has waited for may still read and write */
  size_t under_way_count;
  asked *ports;     /* inputs, then outputs; NULL before the first run that is asked for */
  bool ports_known; /* the context is bound to them */
} context_object;

/* The outputs of one run: the caller's memory, and tensors that the run itself writes to. */
typedef struct run_outputs {
  const hone_engine *engine;
  size_t count;
  hone_tensor *given; /* data NULL where the caller gave none; then struct_size is 0 */
  PyObject **made;    /* Tensors, NULL where none was asked for */
} run_outputs;

/* Each looks at the objects of a list and borrows them; false with an exception. */
bool bind_inputs(context_object *self, loan *l, PyObject *inputs);
bool take_outputs(run_outputs *o, loan *l, PyObject *outputs);
/* Has the run write to what the caller gave, wherever that lies. */
hone_status *bind_given(context_object *self, run_outputs *o);
void free_outputs(run_outputs *o);

/* hone_set_stream. */
hone_status *use_stream(context_object *self, void *stream);
/* Waits for the runs that were asked for and gives back what they borrowed; false with the exception of
 * the one that failed. */
bool settle(context_object *self);

/* Notes what a run under way was asked for with, so that asking again takes little: again.c. */
void note_asked(context_object *self, PyObject *inputs, PyObject *outputs);
void free_ports(context_object *self);
/* enqueue_again({name: array}, {name: array}): whether it asked for a run, since those are the arrays
 * of the last one, as they were then. Else nothing was done. */
PyObject *context_enqueue_again(PyObject *context, PyObject *arguments);

/* enqueue(inputs, outputs); wait(); set_stream(handle or None, its owner) */
PyObject *context_enqueue(PyObject *context, PyObject *arguments);
PyObject *context_wait(PyObject *context, PyObject *unused);
PyObject *context_set_stream(PyObject *context, PyObject *arguments);

#endif
