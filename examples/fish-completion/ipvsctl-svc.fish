# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for ipvsctl-svc and ipvsctl-svcd, from the output of their --help and from the daemon.

# The Services that the daemon serves, at the socket of this command line.
function __ipvsctl_svc_services
    set -l words (commandline -opc)
    set -l socket
    if set -l at (contains -i -- --socket $words)
        set socket --socket $words[(math $at + 1)]
    end
    timeout 2 $words[1] status -o name $socket 2>/dev/null
end

function __ipvsctl_svc
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l command $words[1]
    if string match -qr '(^|/)ipvsctl-svc$' -- $words[1]
        if test (count $words) = 1; and not string match -q -- '-*' $current
            $words[1] --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
            return
        end
        test (count $words) -gt 1; and set -a command $words[2]
    end
    if test (count $command) -gt 1; and contains -- $words[-1] -n --namespace
        __ipvsctl_svc_services | sed 's|/.*||' | sort -u
    else if string match -q -- '-*' $current
        $command --help 2>/dev/null | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--.+'
    else if contains -- "$command[2]" status explain conns
        __ipvsctl_svc_services
    else if test (count $command) = 1; or not contains -- "$command[2]" top cleanup
        __fish_complete_path $current
    end
end

complete -c ipvsctl-svc -f -a '(__ipvsctl_svc)'
complete -c ipvsctl-svcd -f -a '(__ipvsctl_svc)'
