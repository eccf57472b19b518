[(block) (table) (doc_comment)] @fold
