# Writes FILE as a C array named NAME into OUT: cmake -DFILE=… -DNAME=… -DOUT=… -P embed.cmake
file(READ ${FILE} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT} "#include \"backend/cuda/embed.h\"\nconst char ${NAME}[] = {\n${bytes}0};\n")
