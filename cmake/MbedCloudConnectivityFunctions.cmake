# The functions for applications. They are the same whether the library is built with the application
# (add_subdirectory) or was installed (find_package).

include("${CMAKE_CURRENT_LIST_DIR}/ReadInputs.cmake")

# mbed_cloud_connectivity_configure(<target>
#     [USER_CONFIG <file>]            mbed_cloud_client_user_config.h; default: the file of that name beside the top-level
#                                     CMakeLists.txt, if there is one
#     [APP_JSON <file>]               mbed_app.json; default: likewise
#     [MBED_TARGET <name>]            the Mbed target, the most specific label of the JSON file
#     [MBED_TARGET_LABELS <label>...] its labels, the most specific first
#     [DEFINITIONS <definition>...]   NAME or NAME=VALUE, besides those that <target> is compiled with
#     [INCLUDE_DIRECTORIES <dir>...]  where the header's #include looks, besides those of <target>
# )
#
# Links <target> with the library, and gives the library the settings that the application's own files state, such as
# MBED_CLIENT_TCP_KEEPALIVE_INTERVAL. Definitions and include directories of <target> may be added after the call.
#
# Errors while CMake configures: an argument it does not know, a target or named file that does not exist, and a second
# target with other settings than the first where the library is built with the application (one build of the library
# holds one set of settings). Of a program and the static libraries in it, configure one. What is wrong inside the files, such as a value that both the header and the JSON set, is
# an error of the build where the library is built with the application; where it was installed, CMake reports it
# already while it configures, unless generator expressions or linked targets have to be evaluated first.
function(mbed_cloud_connectivity_configure target)
    set(single USER_CONFIG APP_JSON MBED_TARGET)
    set(lists MBED_TARGET_LABELS DEFINITIONS INCLUDE_DIRECTORIES)
    cmake_parse_arguments(PARSE_ARGV 1 given "" "${single}" "${lists}")
    set(function_name "mbed_cloud_connectivity_configure(${target})")
    if(given_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "${function_name}: unknown arguments: ${given_UNPARSED_ARGUMENTS}. "
            "It takes the target first, then ${single} and the lists ${lists}.")
    endif()
    if(given_KEYWORDS_MISSING_VALUES)
        message(FATAL_ERROR "${function_name}: no value after ${given_KEYWORDS_MISSING_VALUES}. Add one, or leave the word out.")
    endif()
    if(NOT TARGET "${target}")
        message(FATAL_ERROR "${function_name}: there is no such target. Call it after add_executable or add_library.")
    endif()
    get_target_property(type "${target}" TYPE)
    if(NOT type MATCHES "^(EXECUTABLE|STATIC_LIBRARY|SHARED_LIBRARY|MODULE_LIBRARY|OBJECT_LIBRARY)$")
        message(FATAL_ERROR "${function_name}: this is no target that is compiled (${type}). Name the program or library that uses the connection.")
    endif()
    foreach(name IN ITEMS USER_CONFIG APP_JSON)
        if(DEFINED given_${name})
            cmake_path(ABSOLUTE_PATH given_${name} BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
            if(NOT EXISTS "${given_${name}}" OR IS_DIRECTORY "${given_${name}}")
                message(FATAL_ERROR "${function_name}: ${name} names ${given_${name}}, which is not a file. Correct the path, or leave ${name} out.")
            endif()
        endif()
    endforeach()
    set(directories "")
    foreach(directory IN LISTS given_INCLUDE_DIRECTORIES)
        if(NOT directory MATCHES "^\\$<")
            cmake_path(ABSOLUTE_PATH directory BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
        endif()
        list(APPEND directories "${directory}")
    endforeach()
    set(given_INCLUDE_DIRECTORIES "${directories}")

    get_property(earlier TARGET "${target}" PROPERTY MCC_CONFIGURED)
    if(earlier)
        message(FATAL_ERROR "${function_name}: this target is configured already. Keep one of the two calls.")
    endif()
    set_property(TARGET "${target}" PROPERTY MCC_CONFIGURED TRUE)

    # Not target_link_libraries: its two signatures do not mix, and only the caller knows which one the target uses.
    set_property(TARGET "${target}" APPEND PROPERTY LINK_LIBRARIES mbed_cloud_connectivity::mbed_cloud_connectivity)
    if(type MATCHES "^(STATIC|OBJECT)_LIBRARY$")
        set_property(TARGET "${target}" APPEND PROPERTY INTERFACE_LINK_LIBRARIES
            "$<LINK_ONLY:mbed_cloud_connectivity::mbed_cloud_connectivity>")
    endif()

    if(TARGET mbed_cloud_connectivity_archive)
        mcc_configure_build("${target}")
    else()
        mcc_configure_installed("${target}")
    endif()
endfunction()

# mbed_cloud_connectivity_replace_pal(<target>)
#
# Links the program or shared library <target> with the library so that the client's own socket and TLS functions (pal_*) come from it:
# objects of the same names in archives later on the link line are not taken. Of a static library, every program that links it is meant.
# Goes with mbed_cloud_connectivity_configure, in any order, or alone.
#
# In a project that asks for a CMake before 3.17, a static library passes this on to the targets that link it themselves only. The link
# of others fails, with functions that are defined twice: call it for the program too, or set the policy CMP0099 to NEW.
#
# Functions that are defined twice also come from an object of the program that needs a private function of the client's own layer
# (docs/architecture.md).
#
# Errors while CMake configures: a target that does not exist or is not linked, and a library that was built without the PAL
# (MBED_CLOUD_CONNECTIVITY_PAL).
function(mbed_cloud_connectivity_replace_pal target)
    set(function_name "mbed_cloud_connectivity_replace_pal(${target})")
    if(ARGC GREATER 1)
        message(FATAL_ERROR "${function_name}: unknown arguments: ${ARGN}. It takes the target only.")
    endif()
    if(NOT TARGET "${target}")
        message(FATAL_ERROR "${function_name}: there is no such target. Call it after add_executable or add_library.")
    endif()
    get_property(has_pal GLOBAL PROPERTY MCC_ARCHIVE_HAS_PAL)
    if(NOT has_pal)
        message(FATAL_ERROR "${function_name}: the library was built without the PAL functions. "
            "Build it with MBED_CLOUD_CONNECTIVITY_PAL=ON.")
    endif()
    get_target_property(type "${target}" TYPE)
    set(prefix "")
    if(type MATCHES "^(STATIC|OBJECT)_LIBRARY$")
        set(prefix INTERFACE_)
    elseif(NOT type MATCHES "^(EXECUTABLE|SHARED_LIBRARY|MODULE_LIBRARY)$")
        message(FATAL_ERROR "${function_name}: this is no target that is linked (${type}). Name the program.")
    endif()
    get_property(earlier TARGET "${target}" PROPERTY MCC_REPLACES_PAL)
    if(earlier)
        return()
    endif()
    set_property(TARGET "${target}" PROPERTY MCC_REPLACES_PAL TRUE)
    # Options stand before the objects. Whole: else an archive would give its objects only for what is missing when its turn comes.
    set(archive "$<TARGET_FILE:mbed_cloud_connectivity::mbed_cloud_connectivity>")
    set_property(TARGET "${target}" APPEND PROPERTY ${prefix}LINK_OPTIONS
        "SHELL:-Wl,--whole-archive \"${archive}\" -Wl,--no-whole-archive")
    set_property(TARGET "${target}" APPEND PROPERTY ${prefix}LINK_DEPENDS "${archive}")
    # What the archive needs of the system.
    set_property(TARGET "${target}" APPEND PROPERTY ${prefix}LINK_LIBRARIES mbed_cloud_connectivity::mbed_cloud_connectivity)
    if(prefix)
        # Where the options get lost on the way (CMP0099) the archive is taken at its place, and clashes: no silent link with the others.
        set_property(TARGET "${target}" APPEND PROPERTY INTERFACE_LINK_LIBRARIES -Wl,-u,mcc_version)
    endif()
endfunction()

# The library is built with the application: hands the settings to its build. Reads the caller's given_*.
function(mcc_configure_build target)
    set(summary "")
    foreach(name IN ITEMS USER_CONFIG APP_JSON MBED_TARGET MBED_TARGET_LABELS DEFINITIONS INCLUDE_DIRECTORIES)
        if(DEFINED given_${name} AND NOT given_${name} STREQUAL "")
            string(APPEND summary "\n    ${name} ${given_${name}}")
        endif()
    endforeach()
    if(summary STREQUAL "")
        set(summary "\n    the defaults")
    endif()
    get_property(first GLOBAL PROPERTY MCC_FIRST_TARGET)
    get_property(first_summary GLOBAL PROPERTY MCC_FIRST_SUMMARY)
    if(first AND NOT first_summary STREQUAL summary)
        message(FATAL_ERROR "One build of the connectivity library holds one set of settings, and two targets ask for different ones.\n"
            "  mbed_cloud_connectivity_configure(${first}):${first_summary}\n"
            "  mbed_cloud_connectivity_configure(${target}):${summary}\n"
            "Give both the same arguments, build the second program in a build tree of its own, or install the library "
            "and use find_package: then each program has its own settings.")
    endif()
    get_property(folder TARGET mbed_cloud_connectivity_archive PROPERTY MCC_INPUTS_FOLDER)
    mcc_write_inputs("${folder}/${target}" "${target}")
    set(file "${folder}/${target}-C-$<CONFIG>.cmake")
    if(first)
        # Same arguments, but the targets' own definitions may differ: the build compares what comes out.
        set_property(TARGET mbed_cloud_connectivity_archive APPEND PROPERTY MCC_INPUTS "${file}")
    else()
        set_property(TARGET mbed_cloud_connectivity_archive PROPERTY MCC_INPUTS "${file}")
        set_property(GLOBAL PROPERTY MCC_FIRST_TARGET "${target}")
        set_property(GLOBAL PROPERTY MCC_FIRST_SUMMARY "${summary}")
    endif()
endfunction()

# The library was installed: compiles a small C file for the target, which defines what the archive refers to weakly.
# Reads the caller's given_*.
function(mcc_configure_installed target)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(NOT "C" IN_LIST languages)
        message(FATAL_ERROR "mbed_cloud_connectivity_configure(${target}) compiles a small C file. "
            "Add C to the languages of your project(), or call enable_language(C).")
    endif()
    get_property(tool GLOBAL PROPERTY MCC_SETTINGS_TOOL)
    get_property(cmake_folder GLOBAL PROPERTY MCC_CMAKE_FOLDER)
    if(NOT EXISTS "${tool}")
        message(FATAL_ERROR "mbed_cloud_connectivity_configure(${target}): the command mbed-cloud-connectivity-settings is not at "
            "\"${tool}\". Install it for the machine that builds, and set MBED_CLOUD_CONNECTIVITY_SETTINGS_TOOL to it.")
    endif()
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/mbed_cloud_connectivity/${target}")
    mcc_write_inputs("${folder}/inputs" "${target}")
    set(source "${folder}/settings-$<CONFIG>.c")
    mcc_archive_version_arguments(version_arguments)
    add_custom_command(OUTPUT "${source}"
        COMMAND "${CMAKE_COMMAND}" -D "INPUTS=${folder}/inputs-C-$<CONFIG>.cmake" -D "OUTPUT=${source}"
                -D "TOOL=${tool}"
                -D "VERSION_ARGUMENTS=${version_arguments}"
                -P "${cmake_folder}/WriteSettings.cmake"
        DEPENDS "${folder}/inputs-C-$<CONFIG>.cmake" "${tool}"
        DEPFILE "${source}.d"
        COMMENT "Reading the connectivity settings of ${target}"
        VERBATIM)
    # Linked as an object, not added as a source: the target may belong to another directory, and out of a static library
    # nobody would take it, as the library refers to it weakly. There the program that links the static library gets it.
    add_library("${target}_connectivity_settings" OBJECT "${source}")
    set_property(TARGET "${target}_connectivity_settings" PROPERTY POSITION_INDEPENDENT_CODE TRUE)
    set(property LINK_LIBRARIES)
    get_target_property(type "${target}" TYPE)
    if(type MATCHES "^(STATIC|OBJECT)_LIBRARY$")
        set(property INTERFACE_LINK_LIBRARIES)
    endif()
    set_property(TARGET "${target}" APPEND PROPERTY "${property}" "$<TARGET_OBJECTS:${target}_connectivity_settings>")
    foreach(name IN ITEMS USER_CONFIG APP_JSON MBED_TARGET MBED_TARGET_LABELS DEFINITIONS INCLUDE_DIRECTORIES)
        set_property(TARGET "${target}" PROPERTY MCC_GIVEN_${name} "${given_${name}}")
    endforeach()
    set_property(TARGET "${target}" PROPERTY MCC_EARLY_FOLDER "${folder}")
    # Definitions of the target may still come: the early check waits for the end of this directory.
    cmake_language(EVAL CODE "cmake_language(DEFER CALL mcc_check_early [==[${target}]==])")
endfunction()

# A prebuilt archive has one version of the PAL's DNS functions: the tool refuses an application that wants another.
function(mcc_archive_version_arguments result)
    get_property(version GLOBAL PROPERTY MCC_ARCHIVE_DNS_API_VERSION)
    set(arguments "")
    if(NOT "${version}" STREQUAL "")
        set(arguments --archive-dns-api-version "${version}")
    endif()
    set(${result} "${arguments}" PARENT_SCOPE)
endfunction()

# Reads the settings while CMake configures, so that an error shows at once. Says nothing where only the generator
# knows all the definitions: the build reads them again, with everything evaluated.
function(mcc_check_early target)
    foreach(name IN ITEMS USER_CONFIG APP_JSON MBED_TARGET MBED_TARGET_LABELS DEFINITIONS INCLUDE_DIRECTORIES)
        get_property(given_${name} TARGET "${target}" PROPERTY MCC_GIVEN_${name})
    endforeach()
    get_property(folder TARGET "${target}" PROPERTY MCC_EARLY_FOLDER)
    foreach(name IN ITEMS COMPILE_DEFINITIONS COMPILE_OPTIONS INCLUDE_DIRECTORIES)
        get_property(target_${name} TARGET "${target}" PROPERTY ${name})
    endforeach()
    get_property(linked TARGET "${target}" PROPERTY LINK_LIBRARIES)
    list(REMOVE_ITEM linked mbed_cloud_connectivity::mbed_cloud_connectivity "$<TARGET_OBJECTS:${target}_connectivity_settings>")
    foreach(library IN LISTS linked)
        if(library MATCHES "\\$<" OR TARGET "${library}")
            return()
        endif()
    endforeach()
    set(everything "${target_COMPILE_DEFINITIONS}${target_COMPILE_OPTIONS}${target_INCLUDE_DIRECTORIES}${given_DEFINITIONS}${given_INCLUDE_DIRECTORIES}")
    if(everything MATCHES "\\$<")
        return()
    endif()
    get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
    if(multi_config)
        return()
    endif()
    mcc_archive_version_arguments(version_arguments)
    mcc_inputs_text(text "${target_COMPILE_DEFINITIONS}" "${target_COMPILE_OPTIONS}" "${target_INCLUDE_DIRECTORIES}" "${CMAKE_BUILD_TYPE}")
    file(CONFIGURE OUTPUT "${folder}/early.cmake" CONTENT "@text@" @ONLY)
    mcc_read_inputs("${folder}/early.cmake")
    mcc_settings_arguments(arguments)
    get_property(tool GLOBAL PROPERTY MCC_SETTINGS_TOOL)
    execute_process(COMMAND "${tool}" ${arguments} ${version_arguments} --format cmake --output "${folder}/early-values.cmake"
        RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    # An error is corrected in one of these: then CMake has to look again.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${user_config} ${app_json})
    if(NOT result EQUAL 0)
        # CMake folds lines that do not begin with a space, through the middle of paths.
        string(STRIP "${output}" output)
        string(REPLACE "\n" "\n  " output "${output}")
        message(FATAL_ERROR "mbed_cloud_connectivity_configure(${target}): the settings of the application are wrong.\n  ${output}")
    endif()
    include("${folder}/early-values.cmake")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${MBED_CLOUD_CONNECTIVITY_DEPENDENCIES})
    string(STRIP "${output}" output)
    if(output)
        message(STATUS "mbed_cloud_connectivity_configure(${target}): ${output}")
    endif()
    message(STATUS "${target}: keepalive interval ${MBED_CLOUD_CONNECTIVITY_MBED_CLIENT_TCP_KEEPALIVE_INTERVAL} s (${MBED_CLOUD_CONNECTIVITY_MBED_CLIENT_TCP_KEEPALIVE_INTERVAL_SOURCE})")
endfunction()

# Has CMake write <prefix>-<language>-<config>.cmake when it generates: everything that the settings of a target are read
# from. An empty target has no definitions. Reads the caller's given_*. The language is in the name because definitions may
# depend on it; the file of C is the one that counts. The flags of both languages count, as either may have the definition.
function(mcc_write_inputs prefix target)
    set(definitions "")
    set(options "")
    set(directories "")
    if(target)
        set(definitions "$<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>")
        set(options "$<TARGET_PROPERTY:${target},COMPILE_OPTIONS>")
        set(directories "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
    endif()
    mcc_inputs_text(text "${definitions}" "${options}" "${directories}" "$<CONFIG>")
    file(GENERATE OUTPUT "${prefix}-$<COMPILE_LANGUAGE>-$<CONFIG>.cmake" CONTENT "${text}")
endfunction()

# The text of such a file: variables for mcc_read_inputs of ReadInputs.cmake.
function(mcc_inputs_text result definitions options directories configuration)
    set(text "")
    foreach(name IN ITEMS USER_CONFIG APP_JSON MBED_TARGET MBED_TARGET_LABELS DEFINITIONS INCLUDE_DIRECTORIES)
        string(APPEND text "set(given_${name} [==[${given_${name}}]==])\n")
    endforeach()
    string(APPEND text
        "set(default_USER_CONFIG [==[${CMAKE_SOURCE_DIR}/mbed_cloud_client_user_config.h]==])\n"
        "set(default_APP_JSON [==[${CMAKE_SOURCE_DIR}/mbed_app.json]==])\n"
        "set(target_definitions [==[${definitions}]==])\n"
        "set(target_options [==[${options}]==])\n"
        "set(target_directories [==[${directories}]==])\n"
        "set(compiler_flags [==[${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}]==])\n")
    # A file that comes to be where it is looked for is no change of what the settings were read from; of this text it is one.
    foreach(name IN ITEMS mbed_cloud_client_user_config.h mbed_app.json)
        if(EXISTS "${CMAKE_SOURCE_DIR}/${name}")
            string(APPEND text "# There is a ${name}.\n")
        endif()
    endforeach()
    get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
    set(configurations "${CMAKE_BUILD_TYPE}")
    if(multi_config)
        set(configurations "${CMAKE_CONFIGURATION_TYPES}")
    endif()
    foreach(name IN LISTS configurations)
        string(TOUPPER "${name}" upper)
        string(APPEND text "set(compiler_flags_of_${name} [==[${CMAKE_C_FLAGS_${upper}} ${CMAKE_CXX_FLAGS_${upper}}]==])\n")
    endforeach()
    string(APPEND text "string(APPEND compiler_flags \" \${compiler_flags_of_${configuration}}\")\n")
    set(clang_target "")
    if(CMAKE_CROSSCOMPILING)
        set(clang_target "${CMAKE_C_COMPILER_TARGET}")
        if(NOT clang_target)
            set(clang_target "${CMAKE_LIBRARY_ARCHITECTURE}")
        endif()
    endif()
    string(APPEND text
        "set(clang_target [==[${clang_target}]==])\n"
        "set(sysroot [==[${CMAKE_SYSROOT}]==])\n")
    set(${result} "${text}" PARENT_SCOPE)
endfunction()
