/* The hone command: subcommands by a table. */
#include <stdio.h>
#include <string.h>

#include "command.h"

static const struct subcommand_row {
  const char *name;
  subcommand *run;
  int files; /* least number of files */
  const char *usage, *help;
} commands[] = {
    {"build", command_build, 1, "MODEL -o ENGINE", "optimise, measure, write an engine file"},
    {"run", command_run, 1, "ENGINE|MODEL [--input NAME:FILE]… [-o FOLDER]",
     "run once; say or save the outputs"},
    {"bench", command_bench, 1, "ENGINE|MODEL", "latency, throughput, a profile by layer"},
    {"inspect", command_inspect, 1, "ENGINE|MODEL [--before] [--after]",
     "ports, sections, fusions, kernels, the graph"},
    {"compare", command_compare, 1, "ENGINE|MODEL [MODEL] [--peer onnxruntime]",
     "layer by layer against the plain meaning"},
    {"check", command_check, 1, "ENGINE", "whether an engine is whole and fits here"},
    {"refit", command_refit, 1, "ENGINE [MODEL] [--weights NAME:FILE]… -o ENGINE",
     "other weights, the same kernels; without -o a list"},
    {"doctor", command_doctor, 0, "", "what this machine has, and what will be used"},
    {"trtexec", command_trtexec, 1, "--onnx=MODEL [--saveEngine=ENGINE]",
     "build and bench, with trtexec's flags"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void usage(void) {
  printf("hone %s: trained models in, fast engines out\n\n", hone_version());
  for (size_t i = 0; i < COMMANDS; i++)
    printf("  hone %-8s %-46s %s\n", commands[i].name, commands[i].usage, commands[i].help);
  printf("\nFlags (also as --flag=value):\n");
  print_flags();
  printf(
      "\nExit codes: 0 good, 1 wrong use, 2 a file is refused, 3 it cannot be built, 4 not "
      "accurate, 5 a device failed\n");
}

static int run_command(const struct subcommand_row *row, int argc, char **argv, int first) {
  command_line line = {0};
  int code = EXIT_WRONG_USE;
  if (read_arguments(argc, argv, first, &line)) {
    if (line.file_count < row->files)
      fprintf(stderr, "usage: hone %s %s\n", row->name, row->usage);
    else
      code = row->run(&line);
  }
  free_arguments(&line);
  return code;
}

static bool asks_for_help(const char *word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int main(int argc, char **argv) {
  bool help = argc < 2;
  for (int i = 1; i < argc; i++) help = help || asks_for_help(argv[i]);
  if (help) {
    usage();
    return argc < 2 ? EXIT_WRONG_USE : 0;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("hone %s\n", hone_version());
    return 0;
  }
  for (size_t i = 0; i < COMMANDS; i++)
    if (strcmp(argv[1], commands[i].name) == 0) return run_command(&commands[i], argc, argv, 2);
  /* trtexec has no subcommands: hone --onnx=net.onnx */
  if (argv[1][0] == '-') return run_command(&commands[COMMANDS - 1], argc, argv, 1);
  fprintf(stderr, "hone: there is no command '%s'; hone --help lists them\n", argv[1]);
  return EXIT_WRONG_USE;
}
