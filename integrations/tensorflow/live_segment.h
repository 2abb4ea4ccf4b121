/* The text that a node holds in place of an engine where that is made as it runs; see live.h. */
#ifndef HONE_TENSORFLOW_LIVE_SEGMENT_H
#define HONE_TENSORFLOW_LIVE_SEGMENT_H

#include <hone/hone.h>
#include <stdbool.h>

typedef struct hone_live_segment {
  hone_bytes graph;
  int values, outputs; /* how many inputs and outputs the node has */
  bool *is_weight;     /* by the node's input */
  char *wanted;        /* the option "outputs" */
  char *fed, *given;   /* the options "inputs" and "outputs", their commas made ends */
  const char **ports;  /* the entries of `fed`, "in_0=node", by the node's input */
  const char **nodes, **results; /* what comes after the =, by the node's input and output */
} hone_live_segment;

/* Whether a node's engine is a segment. */
bool hone_is_live(hone_bytes engine);
/* `text`, for which hone_is_live holds, must outlive it. Free it also where this fails. */
hone_status *hone_live_segment_read(hone_bytes text, int values, int outputs,
                                    hone_live_segment *out);
void hone_live_segment_free(hone_live_segment *segment);

#endif
