# What the toolchain files of this folder share. Expects mcc_toolchain_triplet, Debian's name of the target, and mcc_toolchain_emulator.

set(CMAKE_C_COMPILER "${mcc_toolchain_triplet}-gcc")
set(CMAKE_CXX_COMPILER "${mcc_toolchain_triplet}-g++")

# Another folder with the target's libraries is the only place to look in; programs are this machine's.
if(CMAKE_SYSROOT OR CMAKE_FIND_ROOT_PATH)
    set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
    set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
    set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
    set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
endif()

# ctest runs the tests by it. Looked for by hand: the C library of Debian's cross compilers lies in a folder of its own.
if(NOT DEFINED CMAKE_CROSSCOMPILING_EMULATOR)
    find_program(MCC_QEMU_${mcc_toolchain_emulator} "qemu-${mcc_toolchain_emulator}" DOC "Runs the target's programs on this machine")
    if(MCC_QEMU_${mcc_toolchain_emulator})
        set(mcc_toolchain_root "/usr/${mcc_toolchain_triplet}")
        if(CMAKE_SYSROOT)
            set(mcc_toolchain_root "${CMAKE_SYSROOT}")
        endif()
        set(CMAKE_CROSSCOMPILING_EMULATOR "${MCC_QEMU_${mcc_toolchain_emulator}};-L;${mcc_toolchain_root}")
    endif()
endif()
