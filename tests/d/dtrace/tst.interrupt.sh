# ^C ends tracing: END runs, the status is 0.
# @needs: root
# (dtrace runs in the foreground: a shell makes what it starts with & deaf to ^C)
grep -q '^SigIgn:.*[2367abef]$' /proc/$$/status && { echo "this process ignores SIGINT" >&2; exit 77; }
(for i in $(seq 1 200); do grep -q begin out && break; sleep 0.05; done; kill -INT $(cat pid)) 2> /dev/null &
sh -c 'echo $$ > pid; exec dtrace -q -n "BEGIN { printf(\"begin\n\"); } END { printf(\"end\n\"); }"' > out 2> err
echo $?
cat out err
