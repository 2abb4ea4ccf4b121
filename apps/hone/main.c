/* The hone command: subcommands by a table. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static const struct {
  const char *name;
  subcommand *run;
  int files; /* least number of files */
  const char *usage, *help;
} commands[] = {
    {"build", command_build, 1, "MODEL -o ENGINE", "optimise, measure, write an engine file"},
    {"run", command_run, 1, "ENGINE|MODEL [--input NAME=FILE.npy]… [-o FOLDER]",
     "run once, say or save the outputs"},
    {"bench", command_bench, 1, "ENGINE|MODEL", "latency, throughput, a profile by layer"},
    {"inspect", command_inspect, 1, "ENGINE|MODEL [--before]",
     "the graph before or after, ports, kernels"},
    {"compare", command_compare, 1, "ENGINE|MODEL MODEL", "against the reference, with its error"},
    {"check", command_check, 1, "ENGINE", "whether an engine is whole and fits here"},
    {"doctor", command_doctor, 0, "", "what this machine has, and what will be used"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void usage(void) {
  printf("hone %s: trained models in, fast engines out\n\n", hone_version());
  for (size_t i = 0; i < COMMANDS; i++)
    printf("  hone %-8s %-52s %s\n", commands[i].name, commands[i].usage, commands[i].help);
  printf("\nFlags (also as --flag=value):\n");
  print_flags();
}

int report_failure(hone_status *status) {
  hone_code code = hone_status_code(status);
  const char *place = hone_status_place(status);
  fprintf(stderr, "hone: %s: %s%s%s\n", hone_code_name(code), place, *place ? ": " : "",
          hone_status_message(status));
  hone_status_free(status);
  switch (code) {
    case HONE_INVALID_ARGUMENT:
      return EXIT_WRONG_USE;
    case HONE_UNSUPPORTED:
    case HONE_CANCELLED:
    case HONE_LIMIT:
      return EXIT_CANNOT_BUILD;
    case HONE_DEVICE:
      return EXIT_DEVICE;
    default:
      return EXIT_REFUSED;
  }
}

int main(int argc, char **argv) {
  if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
    usage();
    return argc < 2 ? EXIT_WRONG_USE : 0;
  }
  for (size_t i = 0; i < COMMANDS; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    command_line line = {0};
    int code = EXIT_WRONG_USE;
    if (read_arguments(argc, argv, &line)) {
      if (line.file_count < commands[i].files)
        fprintf(stderr, "usage: hone %s %s\n", commands[i].name, commands[i].usage);
      else
        code = commands[i].run(&line);
    }
    free_arguments(&line);
    return code;
  }
  fprintf(stderr, "hone: there is no command '%s'; hone --help lists them\n", argv[1]);
  return EXIT_WRONG_USE;
}
