# Run by cpack when the components are staged: gives each Debian package what Debian's policy asks for, and nothing else needs:
# copyright and changes, compressed pages, stripped programs.
cmake_minimum_required(VERSION 3.25)

if(NOT CPACK_MCC_LIBDIR STREQUAL "lib/${CPACK_MCC_ARCHITECTURE}")
    message(FATAL_ERROR "Debian has libraries in lib/${CPACK_MCC_ARCHITECTURE}, and this build tree has ${CPACK_MCC_LIBDIR}. "
        "Configure a new one with -D CMAKE_INSTALL_PREFIX=/usr, or call script/package.")
endif()

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "The packages could not be made. This failed:\n${command}\n${output}")
    endif()
endfunction()

# write_copyright <file> <packages of cargo...>: the licence, and those of the code that is linked in.
function(write_copyright file)
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -E env "CARGO=${CPACK_MCC_CARGO}" "CARGO_TREE_TARGET=${CPACK_MCC_RUST_TARGET}"
            bash "${CPACK_MCC_SOURCE}/script/third-party" ${ARGN}
        OUTPUT_VARIABLE third_party ERROR_VARIABLE output RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "The licences of what is linked in could not be listed: ${output}")
    endif()
    file(WRITE "${file}"
        "mbed-cloud-connectivity\n\n"
        "Copyright: the authors of mbed-cloud-connectivity\n\n"
        "License: Apache-2.0\n\n"
        "On Debian systems the text of the Apache License, version 2.0, is in\n"
        "/usr/share/common-licenses/Apache-2.0. It holds for the project's own code,\n"
        "and for what is listed as Apache-2.0 below.\n\n"
        "${third_party}")
endfunction()

# make_reference <folder>: the reference of the C interface, where there is doxygen.
function(make_reference folder)
    find_program(doxygen doxygen NO_CACHE)
    if(NOT doxygen)
        message(STATUS "There is no doxygen: the package has no reference of the C interface.")
        return()
    endif()
    set(reference "${CPACK_TEMPORARY_DIRECTORY}/reference")
    run(bash "${CPACK_MCC_SOURCE}/script/reference" "${reference}")
    file(COPY "${reference}/html" DESTINATION "${folder}" FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    file(REMOVE_RECURSE "${reference}")
endfunction()

# Debian's file of changes: one entry, for the package. The project's own changes are beside it. The time is that of the sources,
# where SOURCE_DATE_EPOCH tells it.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
string(CONCAT debian_changes
    "mbed-cloud-connectivity (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
    "  * Package of version ${CPACK_PACKAGE_VERSION}, as the project's own cpack makes it.\n\n"
    " -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")

set(crates_development mbed-cloud-connectivity)
set(crates_settings mbed-cloud-connectivity-settings)
set(crates_netcheck mbed-netcheck)
file(GLOB all_documents "${CPACK_MCC_SOURCE}/docs/*.md" "${CPACK_MCC_SOURCE}/docs/*.svg" "${CPACK_MCC_SOURCE}/docs/*.schema.json")
set(documents_development "${CPACK_MCC_SOURCE}/README.md" "${CPACK_MCC_SOURCE}/examples")
set(documents_netcheck "${CPACK_MCC_SOURCE}/docs/netcheck.md" "${CPACK_MCC_SOURCE}/docs/netcheck.schema.json")

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
    string(TOUPPER "${component}" upper)
    set(usr "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr")
    if(NOT IS_DIRECTORY "${usr}")
        message(FATAL_ERROR "cpack has not staged the component ${component} in ${usr}; this is a fault of cmake/PackageLayout.cmake.")
    endif()
    set(doc "${usr}/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME}")
    # Not by file(INSTALL): DESTDIR is set here.
    file(MAKE_DIRECTORY "${doc}")
    foreach(document IN LISTS documents_${component})
        file(COPY "${document}" DESTINATION "${doc}" FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    endforeach()
    if(component STREQUAL development)
        # Where the documents' links lead to.
        file(COPY ${all_documents} DESTINATION "${doc}/docs" FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
        make_reference("${doc}")
    endif()
    write_copyright("${doc}/copyright" ${crates_${component}})
    file(WRITE "${doc}/changelog.Debian" "${debian_changes}")
    file(READ "${CPACK_MCC_SOURCE}/CHANGELOG.md" changes)
    file(WRITE "${doc}/changelog" "${changes}")
    file(CHMOD "${doc}/copyright" "${doc}/changelog.Debian" "${doc}/changelog" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    if(EXISTS "${usr}/share/zsh/site-functions")
        # That folder is for what the administrator installs.
        file(RENAME "${usr}/share/zsh/site-functions" "${usr}/share/zsh/vendor-completions")
    endif()
    file(GLOB pages "${usr}/share/man/man*/*")
    run(gzip -9 -n "${doc}/changelog" "${doc}/changelog.Debian" ${pages})
    file(GLOB programs "${usr}/bin/*")
    foreach(program IN LISTS programs)
        run("${CPACK_MCC_STRIP}" --remove-section=.comment --remove-section=.note "${program}")
    endforeach()
endforeach()

# Whatever umask this runs with.
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
    file(GLOB_RECURSE folders LIST_DIRECTORIES TRUE "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/*")
    foreach(folder IN LISTS folders)
        if(IS_DIRECTORY "${folder}")
            file(CHMOD "${folder}" PERMISSIONS ${CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
        endif()
    endforeach()
endforeach()

# Nobody moves what is under /usr, and the plain form is what pkg-config can put a sysroot before, and leave out where there is none.
set(file "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/development/usr/${CPACK_MCC_LIBDIR}/pkgconfig/mbed-cloud-connectivity.pc")
file(READ "${file}" text)
string(REGEX REPLACE "^prefix=[^\n]*" "prefix=/usr" text "${text}")
file(WRITE "${file}" "${text}")
