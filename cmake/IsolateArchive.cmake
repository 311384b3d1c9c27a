# Makes the archive that applications link out of the one that cargo made: one object that defines nothing but the public
# symbols. Without this an application that has a Mbed TLS of its own would link, and call the wrong one.
#
# mcc_isolate_archive(<cargo's archive> <archive to write> <files that list the public symbols> <keep debug information>)
# Uses CMAKE_C_COMPILER, CMAKE_C_COMPILER_TARGET, CMAKE_C_FLAGS, CMAKE_SYSROOT, CMAKE_OBJCOPY, CMAKE_OBJDUMP, CMAKE_AR and CMAKE_NM.
# Errors: a tool that fails, with its output; a public symbol that cargo's archive does not define.
function(mcc_isolate_archive from to symbols keep_debug)
    cmake_path(GET to PARENT_PATH folder)
    set(work "${folder}/isolate")
    file(REMOVE_RECURSE "${work}")
    file(MAKE_DIRECTORY "${work}")
    set(names "")
    foreach(list IN LISTS symbols)
        file(STRINGS "${list}" listed REGEX "^[A-Za-z_]")
        list(APPEND names ${listed})
    endforeach()

    # The compiler, not ld: where clang is installed, plain ld loads its plugin and stumbles over the bitcode in Rust's objects.
    separate_arguments(flags UNIX_COMMAND "${CMAKE_C_FLAGS}")
    list(FILTER flags EXCLUDE REGEX "^(-flto|-fsanitize|-fprofile|--coverage|-fuse-ld)")
    if(CMAKE_C_COMPILER_TARGET)
        list(APPEND flags "--target=${CMAKE_C_COMPILER_TARGET}")
    endif()
    if(CMAKE_SYSROOT)
        list(APPEND flags "--sysroot=${CMAKE_SYSROOT}")
    endif()
    set(roots "")
    foreach(name IN LISTS names)
        list(APPEND roots "-Wl,-u,${name}")
    endforeach()
    # Groups dissolved: a group kept under a name that is local here would still be thrown away for another object's.
    set(link "${CMAKE_C_COMPILER}" ${flags} -r -nostdlib -fuse-ld=bfd -Wl,--gc-sections -Wl,--force-group-allocation
        -Wl,--build-id=none ${roots})
    set(no_backtrace mcc_private_no_backtrace)
    mcc_run(${link} "-Wl,-u,${no_backtrace}" "${from}" -o "${work}/whole.o")

    set(remove -R .llvmbc -R .llvmcmd -R .comment)
    if(NOT keep_debug)
        list(APPEND remove --strip-debug)
    endif()
    mcc_run("${CMAKE_OBJCOPY}" ${remove} "${work}/whole.o")
    if(NOT keep_debug)
        mcc_leave_out_backtraces("${work}/whole.o" "${no_backtrace}" "${work}")
    endif()
    # Once more, without what nothing refers to any longer.
    mcc_run(${link} "${work}/whole.o" -o "${work}/mbed_cloud_connectivity.o")
    # After the bitcode is gone: nm loads the same plugin.
    execute_process(COMMAND "${CMAKE_NM}" --defined-only --extern-only --format=posix "${work}/mbed_cloud_connectivity.o"
        OUTPUT_VARIABLE defined COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "(^|\n)[^ \n]+" defined "${defined}")
    list(TRANSFORM defined STRIP)
    set(missing ${names})
    list(REMOVE_ITEM missing ${defined})
    if(missing)
        list(JOIN missing ", " missing)
        list(JOIN symbols " " symbols)
        message(FATAL_ERROR "One of ${symbols} lists symbols that the library does not define: ${missing}. "
            "Export them from src/ffi, or take them off the list.")
    endif()

    file(WRITE "${work}/symbols" "")
    foreach(name IN LISTS names)
        file(APPEND "${work}/symbols" "${name}\n")
    endforeach()
    mcc_run("${CMAKE_OBJCOPY}" "--keep-global-symbols=${work}/symbols" "${work}/mbed_cloud_connectivity.o")
    if(keep_debug)
        # What only thrown away sections referred to is still listed as undefined, and no longer weak. A stripped copy tells which.
        mcc_run("${CMAKE_OBJCOPY}" --strip-unneeded "${work}/mbed_cloud_connectivity.o" "${work}/stripped.o")
        mcc_undefined_symbols("${work}/mbed_cloud_connectivity.o" undefined)
        mcc_undefined_symbols("${work}/stripped.o" needed)
        list(REMOVE_ITEM undefined ${needed})
        list(JOIN undefined "\n" undefined)
        file(WRITE "${work}/unneeded" "${undefined}\n")
        mcc_run("${CMAKE_OBJCOPY}" "--strip-symbols=${work}/unneeded" "${work}/mbed_cloud_connectivity.o")
    else()
        # A step of its own: only now are the others local, and can go.
        mcc_run("${CMAKE_OBJCOPY}" --strip-unneeded "${work}/mbed_cloud_connectivity.o")
    endif()
    # Under its final name only when it is whole. D: the same bytes for the same input.
    mcc_run("${CMAKE_AR}" crsD "${work}/libmbed_cloud_connectivity.a" "${work}/mbed_cloud_connectivity.o")
    file(RENAME "${work}/libmbed_cloud_connectivity.a" "${to}")
    file(REMOVE_RECURSE "${work}")
endfunction()

# Replaces what prints the backtrace of a panic in Rust's own library by <nothing>, a function of ours that prints nothing. Else every
# program has the readers of its debug information, a quarter of a megabyte, though the library's panics go to the log without a
# backtrace (src/panic.rs). Where Rust's function has another name than those of the compilers known, the backtraces stay.
function(mcc_leave_out_backtraces object nothing work)
    execute_process(COMMAND "${CMAKE_OBJDUMP}" -h -w "${object}" OUTPUT_VARIABLE sections COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[.]text[^ \n]*[0-9.]DisplayBacktrace[^ \n]*3fmt[^ \n]*" printers "${sections}")
    string(REGEX MATCHALL "[.]text[^ \n]*[.]${nothing}" replacements "${sections}")
    list(LENGTH printers printers_count)
    list(LENGTH replacements replacements_count)
    if(NOT printers_count EQUAL 1 OR NOT replacements_count EQUAL 1)
        message(STATUS "This Rust's backtraces were not found, and stay in the library: it is a quarter of a megabyte larger.")
        return()
    endif()
    # Its code begins with that of ours, which refers to nothing; the rest of it is never reached. So its size stays what the tables say.
    foreach(name IN ITEMS printers replacements)
        mcc_run("${CMAKE_OBJCOPY}" -O binary "--only-section=${${name}}" "${object}" "${work}/${name}")
    endforeach()
    mcc_run(dd "if=${work}/replacements" "of=${work}/printers" conv=notrunc status=none)
    mcc_run("${CMAKE_OBJCOPY}" "--remove-section=.rela${printers}" "--remove-section=.rel${printers}"
        "--update-section=${printers}=${work}/printers" "${object}")
endfunction()

function(mcc_undefined_symbols object result)
    execute_process(COMMAND "${CMAKE_NM}" --undefined-only --format=posix "${object}" OUTPUT_VARIABLE names COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "(^|\n)[^ \n]+" names "${names}")
    list(TRANSFORM names STRIP)
    set(${result} "${names}" PARENT_SCOPE)
endfunction()

function(mcc_run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "The library could not be made into one object with public symbols only. This failed:\n${command}\n${output}\n"
            "It needs GNU ld (ld.bfd) and GNU or LLVM objcopy for the target: install binutils for it.")
    endif()
endfunction()
