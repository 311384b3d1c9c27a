# Linux on 32-bit ARM (ARMv7, hard float) with Debian's cross compiler, gcc-arm-linux-gnueabihf:
#     cmake -D CMAKE_TOOLCHAIN_FILE=…/cmake/toolchains/arm-linux-gnueabihf.cmake
# docs/cross.md says how the Rust for it gets there.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(mcc_toolchain_triplet arm-linux-gnueabihf)
set(mcc_toolchain_emulator arm)
include("${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake")
