# -C runs the preprocessor; -D, -U and -I are its own.
# @needs: root cpp
mkdir inc
printf '#define WORD "word"\n' > inc/word.h
cat > pre.d <<'EOF'
#include "word.h"
#ifdef GONE
#error GONE is defined
#endif
BEGIN
{
	printf("%s %d\n", WORD, NUMBER);
	exit(0);
}
EOF
exec dtrace -q -C -I inc -D NUMBER=42 -D GONE -U GONE -s pre.d
