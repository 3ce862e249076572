# Prints what zsh offers at the end of the command line $2. $1 is the folder of the completions.
zmodload zsh/zpty
zpty shell zsh -f -i
send() { zpty -w shell "$*" }
send "PROMPT= ; LISTMAX=9999; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D"
# The first and the last function of a completion print a line with NUL.
send "mark() { print -r -- \$'\\0' }; compprefuncs=(mark); comppostfuncs=(mark exit)"
# With -O, -A or -D, a function of zsh asks for matches, and offers none.
send "compadd() {
    local matches=()
    [[ \"\$*\" == *-[OAD]* ]] && { builtin compadd \"\$@\"; return }
    builtin compadd -O matches \"\$@\"
    print -rl -- \$matches
    builtin compadd \"\$@\"
}"
send "bindkey '^I' complete-word; print READ''Y"
while zpty -r shell line && [[ $line != *READY* ]]; do :; done
zpty -w -n shell "$2"$'\t'
output=
while zpty -r shell line; do output+=$line; done
print -r -- "${${output#*$'\0'}%%$'\0'*}"
