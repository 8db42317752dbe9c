# Completion of virsh for bash: source it, or copy it to /usr/share/bash-completion/completions/virsh.
# All that can follow comes from virsh itself (virsh complete), names of guests and networks too.

_kvasir_virsh()
{
    local current=${COMP_WORDS[COMP_CWORD]} word at=1 head=()
    while ((at < COMP_CWORD)); do
        word=${COMP_WORDS[at]}
        case $word in
            -c | --connect | -d | --debug | -e | --escape | -k | -K | --keepalive-* | -l | --log)
                head+=("$word" "${COMP_WORDS[at + 1]}")
                ((at += 2))
                ;;
            -*)
                head+=("$word")
                ((at += 1))
                ;;
            *) break ;;
        esac
    done
    if ((at >= COMP_CWORD)) && [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--connect --debug --escape --help --log --quiet --readonly --timing --version' -- "$current")
        return
    fi
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" "${head[@]}" -q complete -- "${COMP_WORDS[@]:at:COMP_CWORD-at}" "$current" 2> /dev/null)
}
complete -o default -F _kvasir_virsh virsh
