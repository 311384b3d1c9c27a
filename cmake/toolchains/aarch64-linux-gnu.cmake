# Linux on 64-bit ARM with Debian's cross compiler, gcc-aarch64-linux-gnu:
#     cmake -D CMAKE_TOOLCHAIN_FILE=…/cmake/toolchains/aarch64-linux-gnu.cmake
# docs/cross.md says how the Rust for it gets there.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(mcc_toolchain_triplet aarch64-linux-gnu)
set(mcc_toolchain_emulator aarch64)
include("${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake")
