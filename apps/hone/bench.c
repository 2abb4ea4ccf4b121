/* hone bench: latency and throughput, in the words of trtexec. */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"

#define MOST_STREAMS 256
#define MOST_MARKS   16

/* A context that runs over and over, and its latencies in milliseconds. */
typedef struct stream {
  const command_line *line;
  hone_context *context;
  pthread_t thread;
  pthread_barrier_t *start;
  double *times, begin, end; /* when it began and ended to measure */
  size_t count, room;
  hone_status *status;
} stream;

/* What a bench found, over all streams. */
typedef struct result {
  double *times; /* in order of size */
  size_t count, context_bytes;
  double wall_ms, sum, open_ms;
  double marks[MOST_MARKS]; /* which percentiles */
  int mark_count;
} result;

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void rest(double milliseconds) {
  if (milliseconds <= 0) return;
  struct timespec time = {(time_t)(milliseconds / 1e3), 0};
  time.tv_nsec = (long)((milliseconds - (double)time.tv_sec * 1e3) * 1e6);
  nanosleep(&time, NULL);
}

static bool note(stream *s, double milliseconds) {
  if (s->count == s->room) {
    size_t room = s->room ? s->room * 2 : 4096;
    double *times = realloc(s->times, room * sizeof *times);
    if (!times) return false;
    s->times = times;
    s->room = room;
  }
  s->times[s->count++] = milliseconds;
  return true;
}

/* Warms up, waits for the others, then runs for the time asked, at least so many times. */
static void *work(void *argument) {
  stream *s = argument;
  const command_line *line = s->line;
  s->status = hone_run(s->context); /* plans */
  for (double end = now_ms() + line->warm_up_ms; !s->status && now_ms() < end && !interrupted();)
    s->status = hone_run(s->context);
  pthread_barrier_wait(s->start);
  s->begin = now_ms();
  double end = s->begin + line->duration_s * 1e3;
  while (!s->status && !interrupted() && ((double)s->count < line->iterations || now_ms() < end)) {
    double start = now_ms();
    s->status = hone_run(s->context);
    if (!s->status && !note(s, now_ms() - start)) break;
    rest(line->sleep_ms);
  }
  s->end = now_ms();
  return NULL;
}

/* Starts a thread a stream and waits for all. A stream without a thread says so in its status. */
static void run_streams(stream *streams, int count) {
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, (unsigned)count);
  for (int i = 0; i < count; i++) {
    streams[i].start = &start;
    if (pthread_create(&streams[i].thread, NULL, work, &streams[i]) == 0) continue;
    perror("hone: a thread cannot be made");
    exit(EXIT_DEVICE); /* the others would wait at the barrier for ever */
  }
  for (int i = 0; i < count; i++) pthread_join(streams[i].thread, NULL);
  pthread_barrier_destroy(&start);
}

/* ---- What came out ----------------------------------------------------------------------------
 */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static bool read_marks(const char *text, result *out) {
  while (*text) {
    char *end;
    double mark = strtod(text, &end);
    if (end == text || mark < 0 || mark > 100 || out->mark_count == MOST_MARKS) {
      fprintf(stderr, "hone: --percentile wants numbers from 0 to 100, as 90,95,99\n");
      return false;
    }
    out->marks[out->mark_count++] = mark;
    text = *end == ',' ? end + 1 : end;
  }
  return true;
}

static double at_mark(const result *r, double mark) {
  return r->times[(size_t)(mark / 100 * (double)(r->count - 1))];
}

static int gather(const stream *streams, int count, result *out) {
  double begin = streams[0].begin, end = streams[0].end;
  for (int i = 0; i < count; i++) {
    if (streams[i].begin < begin) begin = streams[i].begin;
    if (streams[i].end > end) end = streams[i].end;
    out->count += streams[i].count;
    out->context_bytes += hone_context_memory(streams[i].context);
  }
  out->wall_ms = end - begin;
  out->times = calloc(out->count + 1, sizeof *out->times);
  if (!out->times || !out->count) {
    fprintf(stderr, "hone: nothing was measured\n");
    return EXIT_WRONG_USE;
  }
  size_t at = 0;
  for (int i = 0; i < count; i++)
    for (size_t j = 0; j < streams[i].count; j++)
      out->sum += out->times[at++] = streams[i].times[j];
  qsort(out->times, out->count, sizeof *out->times, by_value);
  return 0;
}

static void print_json(const command_line *line, const result *r) {
  json_t *latency =
      json_pack("{s:f, s:f, s:f, s:f}", "min", r->times[0], "max", r->times[r->count - 1], "mean",
                r->sum / (double)r->count, "median", at_mark(r, 50));
  for (int i = 0; i < r->mark_count; i++) {
    char name[32];
    snprintf(name, sizeof name, "p%g", r->marks[i]);
    json_object_set_new(latency, name, json_real(at_mark(r, r->marks[i])));
  }
  json_t *root =
      json_pack("{s:I, s:i, s:f, s:f, s:f, s:o, s:I}", "runs", (json_int_t)r->count, "streams",
                (int)line->streams, "throughput_qps", (double)r->count * 1e3 / r->wall_ms, "wall_s",
                r->wall_ms / 1e3, "open_ms", r->open_ms, "latency_ms", latency, "context_bytes",
                (json_int_t)r->context_bytes);
  json_dumpf(root, stdout, JSON_INDENT(1));
  putchar('\n');
  json_decref(root);
}

static void print_text(const command_line *line, const result *r) {
  printf("Throughput: %.6g qps\n", (double)r->count * 1e3 / r->wall_ms);
  printf("Latency: min = %.4g ms, max = %.4g ms, mean = %.4g ms, median = %.4g ms", r->times[0],
         r->times[r->count - 1], r->sum / (double)r->count, at_mark(r, 50));
  for (int i = 0; i < r->mark_count; i++)
    printf(", percentile(%g%%) = %.4g ms", r->marks[i], at_mark(r, r->marks[i]));
  printf("\nTotal Host Walltime: %.4g s, %zu runs", r->wall_ms / 1e3, r->count);
  if (line->streams > 1) printf(" on %g contexts", line->streams);
  printf("\nMemory: %.1f MB in contexts\nOpen or build: %.4g ms\n", (double)r->context_bytes / 1e6,
         r->open_ms);
}

static void print_averages(const command_line *line, const stream *s) {
  size_t each = line->average_runs >= 1 ? (size_t)line->average_runs : 1;
  for (size_t i = 0; i + each <= s->count; i += each) {
    double sum = 0;
    for (size_t j = 0; j < each; j++) sum += s->times[i + j];
    printf("Average on %zu runs: %.4g ms\n", each, sum / (double)each);
  }
}

static bool export_times(const char *path, const stream *streams, int count) {
  json_t *list = json_array();
  for (int i = 0; i < count; i++)
    for (size_t j = 0; j < streams[i].count; j++)
      json_array_append_new(list,
                            json_pack("{s:i, s:f}", "stream", i, "latencyMs", streams[i].times[j]));
  bool good = write_json(path, list);
  json_decref(list);
  return good;
}

static int tell(const command_line *line, const stream *streams, int count, result *r) {
  TRY_CODE(gather(streams, count, r));
  if (line->json)
    print_json(line, r);
  else
    print_text(line, r);
  if (line->verbose && !line->json)
    for (int i = 0; i < count; i++) print_averages(line, &streams[i]);
  if (line->export_times && !export_times(line->export_times, streams, count))
    return EXIT_WRONG_USE;
  return 0;
}

/* ---- A bench ----------------------------------------------------------------------------------
 */

/* The session's context is the first stream's; the others get their own on the same inputs. */
static int open_streams(const command_line *line, const session *s, stream *streams, int count) {
  for (int i = 0; i < count; i++) {
    session next = {.engine = s->engine, .inputs = s->inputs, .context = s->context};
    if (i > 0) TRY_CODE(bind_session(line, &next));
    streams[i] = (stream){.line = line, .context = next.context};
  }
  return 0;
}

static int measure(const command_line *line, const session *s, result *r) {
  int count = line->streams < 1              ? 1
              : line->streams > MOST_STREAMS ? MOST_STREAMS
                                             : (int)line->streams;
  stream *streams = calloc((size_t)count, sizeof *streams);
  if (!streams) return EXIT_WRONG_USE;
  int code = open_streams(line, s, streams, count);
  if (!code) {
    catch_interrupt();
    run_streams(streams, count);
    release_interrupt();
  }
  for (int i = 0; i < count; i++) {
    if (streams[i].status) code = report_failure(streams[i].status);
  }
  if (!code) code = tell(line, streams, count, r);
  for (int i = 0; i < count; i++) {
    if (i > 0) hone_context_free(streams[i].context);
    free(streams[i].times);
  }
  free(streams);
  return code;
}

int command_bench(const command_line *line) {
  session s = {0};
  result r = {0};
  if (!read_marks(line->percentiles, &r)) return EXIT_WRONG_USE;
  double start = now_ms();
  hone_status *status = open_or_build(line, line->files[0], &s.engine);
  r.open_ms = now_ms() - start;
  int code = status ? report_failure(status) : save_if_asked(line, s.engine);
  if (!code) code = bind_session(line, &s);
  if (!code) code = measure(line, &s, &r);
  if (!code && (line->dump_output || line->export_output)) {
    command_line outputs = *line;
    outputs.output = NULL; /* here it is where the engine went */
    code = give_outputs(&outputs, &s);
  }
  if (!code && (line->profile || line->export_profile)) code = give_profile(line, s.context, 10);
  free(r.times);
  close_session(&s);
  return code;
}

int command_trtexec(const command_line *line) {
  if (!line->build_only) return command_bench(line);
  hone_engine *engine;
  TRY_COMMAND(open_or_build(line, line->files[0], &engine));
  int code = save_if_asked(line, engine);
  hone_engine_free(engine);
  return code;
}
