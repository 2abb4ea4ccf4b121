/* Engine files: the same answers, the same bytes, and every kind of damage refused. */
#include "engines.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/format.h"

static char path[64];

static void make_path(void) {
  snprintf(path, sizeof path, "/tmp/hone_test_engine_%d", (int)getpid());
}

static char *read_all(size_t *size) {
  char *data = NULL;
  CHECK_OK(hone_file_read(path, (size_t)1 << 30, &data, size));
  return data;
}

static void write_all(const char *data, size_t size) {
  hone_bytes part = {data, size};
  CHECK_OK(hone_file_write(path, &part, 1));
}

static hone_engine *saved_engine_of(const char *net) {
  make_path();
  hone_model *model = engine_model(net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  CHECK_OK(hone_engine_save(engine, path));
  hone_model_free(model);
  return engine;
}

static hone_engine *saved_engine(void) {
  return saved_engine_of(engine_net);
}

TEST(loads_to_the_same_bits) {
  hone_engine *built = saved_engine(), *loaded = NULL;
  const char *const modes[] = {"used", "full", "lazy"};
  for (int m = 0; m < 3; m++) {
    hone_options *options = NULL;
    CHECK_OK(hone_options_new(&options));
    CHECK_OK(hone_options_set(options, "verify", modes[m]));
    CHECK_OK(hone_engine_open(path, options, &loaded));
    hone_options_free(options);
    hone_context *a = NULL, *b = NULL;
    CHECK_OK(hone_context_new(built, NULL, &a));
    CHECK_OK(hone_context_new(loaded, NULL, &b));
    picture p = picture_of(2, 20, 12);
    hone_tensor x = engine_run(a, &p), y = engine_run(b, &p);
    CHECK(x.size == y.size && memcmp(x.data, y.data, x.size) == 0);
    free(p.data);
    hone_context_free(a);
    hone_context_free(b);
    hone_engine_free(loaded);
  }
  CHECK_OK(hone_engine_check(path, NULL));
  hone_engine_free(built);
  unlink(path);
}

typedef struct given {
  float memory[12];
  hone_tensor type;
} given;

static void *give(void *argument, size_t index, const hone_tensor *type) {
  given *g = argument;
  g->type = *type;
  return index == 0 && type->size == sizeof g->memory ? g->memory : NULL;
}

/* A kernel makes the concat in the output's memory; what the host is asked for has the sizes of the
 * reshape, which in a loaded engine comes after it. */
TEST(memory_is_asked_for_by_the_outputs_own_sizes) {
  hone_engine *built = saved_engine_of(
      "graph net(x: f32[1, 1, 2, 3]) -> (y) { s = const s64[1] [12] a = neg(x) b = abs(x)"
      " c = concat(a, b) {axis=3} y = reshape(c, s) }");
  hone_engine *loaded = NULL;
  hone_context *context = NULL;
  CHECK_OK(hone_engine_open(path, NULL, &loaded));
  CHECK_OK(hone_context_new(loaded, NULL, &context));
  given g = {0};
  hone_set_output_memory(context, give, &g);
  picture p = picture_of(1, 1, 2);
  hone_tensor y = engine_run(context, &p);
  CHECK(y.data == g.memory && g.type.rank == 1 && g.type.dims[0] == 12);
  for (int i = 0; i < 3; i++)
    CHECK(g.memory[i] == -p.data[i] && g.memory[3 + i] == fabsf(p.data[i]));
  free(p.data);
  hone_context_free(context);
  hone_engine_free(loaded);
  hone_engine_free(built);
  unlink(path);
}

TEST(writes_the_same_bytes) {
  hone_engine_free(saved_engine());
  size_t first_size, second_size;
  char *first = read_all(&first_size);
  hone_engine_free(saved_engine());
  char *second = read_all(&second_size);
  CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
  /* Saved again from the loaded engine as well. */
  hone_engine *loaded = NULL;
  CHECK_OK(hone_engine_open(path, NULL, &loaded));
  CHECK_OK(hone_engine_save(loaded, path));
  hone_engine_free(loaded);
  hone_free(second);
  second = read_all(&second_size);
  CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
  hone_free(first);
  hone_free(second);
  unlink(path);
}

/* Whatever is done to the file, opening refuses it before anything of it is used. */
TEST(loads_from_memory) {
  hone_engine *built = saved_engine(), *loaded = NULL;
  hone_context *a = NULL, *b = NULL;
  size_t size;
  char *bytes = read_all(&size);
  CHECK_OK(hone_engine_parse((hone_bytes){bytes, size}, NULL, &loaded));
  CHECK_OK(hone_context_new(built, NULL, &a));
  CHECK_OK(hone_context_new(loaded, NULL, &b));
  picture p = picture_of(2, 20, 12);
  hone_tensor x = engine_run(a, &p), y = engine_run(b, &p);
  CHECK(x.size == y.size && memcmp(x.data, y.data, x.size) == 0);
  free(p.data);
  hone_context_free(a);
  hone_context_free(b);
  hone_engine_free(loaded);
  hone_engine_free(built);
  hone_free(bytes);
}

static void check_refused(const char *what, size_t at) {
  hone_engine *engine = NULL;
  hone_status *status = hone_engine_open(path, NULL, &engine);
  hone_code code = hone_status_code(status);
  if (code != HONE_CORRUPT && code != HONE_MISMATCH) {
    fprintf(stderr, "%s at %zu was not refused: %s\n", what, at, hone_status_message(status));
    CHECK(false);
  }
  hone_status_free(status);
  if (!status) hone_engine_free(engine);
}

TEST(refuses_every_damage) {
  hone_engine_free(saved_engine());
  size_t size;
  char *good = read_all(&size), *bad = malloc(size);
  /* A prime step meets every place within the 64-byte rows of headers and tables. */
  for (size_t at = 0; at < size; at += at < 1024 ? 1 : 97) {
    memcpy(bad, good, size);
    bad[at] = (char)(bad[at] ^ (1 << (at % 8)));
    write_all(bad, size);
    check_refused("a flipped bit", at);
  }
  for (size_t cut = 0; cut < size; cut += cut < 512 ? 7 : 1021) {
    write_all(good, cut);
    check_refused("a cut", cut);
  }
  for (size_t at = 0; at + 1024 <= size; at += 4096) {
    if (memcmp(good + at, good + at + 512, 512) == 0) continue;
    memcpy(bad, good, size);
    memcpy(bad + at, good + at + 512, 512);
    memcpy(bad + at + 512, good + at, 512);
    write_all(bad, size);
    check_refused("a swap", at);
  }
  hone_free(good);
  free(bad);
  unlink(path);
}

/* Each byte of the file in turn, in memory: refused, and by a section's name past the front. */
TEST(refuses_each_flipped_byte) {
  hone_engine_free(saved_engine());
  size_t size;
  char *bytes = read_all(&size);
  hone_format_view view = {.file = {0}};
  CHECK_OK(hone_format_read((hone_bytes){bytes, size}, &view));
  size_t front = (size_t)((const char *)view.sections[0].data - bytes);
  for (size_t at = 0; at < size && !check_failed; at++) {
    hone_engine *engine = NULL;
    bytes[at] = (char)~bytes[at];
    hone_status *status = hone_engine_parse((hone_bytes){bytes, size}, NULL, &engine);
    bytes[at] = (char)~bytes[at];
    hone_code code = hone_status_code(status);
    CHECK(code == HONE_CORRUPT || (code == HONE_MISMATCH && at < front));
    CHECK(at < front || strstr(hone_status_message(status), "section "));
    hone_status_free(status);
  }
  hone_free(bytes);
  unlink(path);
}

/* How many files beside `path` begin with its name; they are removed where asked to. */
static int count_leftovers(bool removed) {
  int count = 0;
  DIR *folder = opendir("/tmp");
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    char full[400];
    snprintf(full, sizeof full, "/tmp/%s", entry->d_name);
    if (strcmp(full, path) == 0 || strncmp(full, path, strlen(path)) != 0) continue;
    count++;
    if (removed) unlink(full);
  }
  if (folder) closedir(folder);
  return count;
}

/* A process killed while it saves leaves the old file or the new one, whole, at the name. */
TEST(a_killed_save_leaves_a_whole_file) {
  hone_engine *engine = saved_engine();
  uint32_t state = 5;
  for (int round = 0; round < 40 && !check_failed; round++) {
    pid_t child = fork();
    if (child == 0) {
      for (;;) hone_status_free(hone_engine_save(engine, path));
    }
    CHECK(child > 0);
    if (child <= 0) break;
    engine_random(&state);
    struct timespec pause = {0, (long)(state >> 8) % 8000000};
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    hone_engine *opened = NULL;
    CHECK_OK(hone_engine_open(path, NULL, &opened));
    hone_engine_free(opened);
  }
  count_leftovers(true);
  hone_engine_free(engine);
  unlink(path);
}

/* Processes that save to one name at once: each succeeds, one whole file stays, nothing beside it.
 */
TEST(saves_at_once_do_not_mix) {
  hone_engine *engine = saved_engine(), *opened = NULL;
  pid_t children[4];
  for (int i = 0; i < 4; i++) {
    children[i] = fork();
    if (children[i]) continue;
    hone_status *status = NULL;
    for (int n = 0; n < 20 && !status; n++) status = hone_engine_save(engine, path);
    _exit(status != NULL);
  }
  for (int i = 0; i < 4; i++) {
    int code = -1;
    CHECK(children[i] > 0 && waitpid(children[i], &code, 0) == children[i] && code == 0);
  }
  CHECK_OK(hone_engine_open(path, NULL, &opened));
  CHECK(count_leftovers(false) == 0);
  hone_engine_free(opened);
  hone_engine_free(engine);
  unlink(path);
}

/* No room: an error with the name and the system's reason; the old file stays, nothing beside it.
 */
TEST(a_full_disk_is_told) {
  hone_engine *engine = saved_engine(), *opened = NULL;
  struct rlimit old, few;
  signal(SIGXFSZ, SIG_IGN);
  CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
  few = old;
  few.rlim_cur = 4096;
  CHECK(setrlimit(RLIMIT_FSIZE, &few) == 0);
  CHECK_ERROR(hone_engine_save(engine, path), HONE_IO, path);
  CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
  CHECK_ERROR(hone_engine_save(engine, "/dev/full/engine"), HONE_IO, "/dev/full/engine");
  CHECK_OK(hone_engine_open(path, NULL, &opened));
  CHECK(count_leftovers(false) == 0);
  hone_engine_free(opened);
  hone_engine_free(engine);
  unlink(path);
}

int main(void) {
  RUN(loads_to_the_same_bits);
  RUN(loads_from_memory);
  RUN(memory_is_asked_for_by_the_outputs_own_sizes);
  RUN(writes_the_same_bytes);
  RUN(refuses_every_damage);
  RUN(refuses_each_flipped_byte);
  RUN(a_killed_save_leaves_a_whole_file);
  RUN(saves_at_once_do_not_mix);
  RUN(a_full_disk_is_told);
  return check_report();
}
